// Tests of nodes as they travel: the order to an agent, its results, and what people are shown of both.

import { z } from "zod";
import { int, ms, prose, proseOf, span, text } from "./scalars";
import type { JudgedResult, NodeTests, TestCommand, TestResult } from "../core/model/node-tests";

/** The longest text of one echo. The rate to the server is measured with echoes. */
export const ECHO_BYTES = 256 * 1024;

export const testCommand = z.object({
  name: text,
  argv: z.array(text).min(1).max(256),
  timeout_ms: int,
  required: z.boolean(),
}) satisfies z.ZodType<TestCommand>;

const verdict = z.enum(["passed", "failed", "warned", "skipped"]);

export const testResult = z.object({
  name: proseOf(200),
  verdict,
  required: z.boolean(),
  detail: prose,
  value: z.number().nullable(),
  unit: proseOf(20).nullable(),
  took_ms: span,
}) satisfies z.ZodType<TestResult>;

/** The most results of one execution: the built-in tests, every card, every command. */
export const RESULTS = 400;

/** The step that an agent is at: number `n` of `of`. */
export const stepView = z.object({ name: proseOf(200), n: int, of: int });
export type StepView = z.infer<typeof stepView>;

/**
 * Why a node is being tested, for people. `step` is the test that its agent is running, or null if the agent has not
 * said.
 */
export const testingView = z.object({
  id: z.string(),
  why: z.string(),
  by: z.string(),
  at_ms: ms,
  step: stepView.nullable(),
});

export const testsView = z
  .object({
    id: z.string(),
    node_id: z.string(),
    at_ms: ms,
    why: z.string(),
    verdict: z.enum(["passed", "failed"]),
    reason: z.string().nullable(),
    results: z.array(
      testResult.extend({
        past: z.object({ value: z.number(), count: int }).nullable(),
        twins: z.object({ value: z.number(), names: z.array(z.string()) }).nullable(),
      }) satisfies z.ZodType<JudgedResult>,
    ),
  })
  .meta({ id: "NodeTests" }) satisfies z.ZodType<Omit<NodeTests, "fingerprint">>;
export type TestsView = z.infer<typeof testsView>;
