// A child process that answers questions which may hang (a vendor's library, a broken driver), one at a time and each
// with a deadline. A child that misses its deadline is killed, and nobody waits for it. A new one is started only when
// the old one is gone, so that they never pile up.

import { writeSync } from "node:fs";
import { within } from "../clock";
import { messageOf } from "../errors";
import { fieldsOf, parsedJson } from "../files/json";
import { own } from "./own";
import { signalName } from "./signals";
import { SYSTEM_PATH } from "./spawn";

export type Answer =
  { readonly is: "answered"; readonly value: unknown } | { readonly is: "failed"; readonly why: string };

/** The most characters of one answer. */
const MOST_CHARACTERS = 16 * 1024 * 1024;
/** How long a killed child may take to be gone before it counts as stuck. */
const ENDING_MS = 2_000;

interface Living {
  readonly child: Bun.Subprocess<"pipe", "pipe", "ignore">;
  settle: ((answer: Answer) => void) | null;
}

export class Answerer {
  readonly #argv: readonly string[];
  #living: Living | null = null;
  /**
   * The child that was killed and may not be gone yet. A process in an uninterruptible wait is not ended by any signal.
   */
  #killed: Living["child"] | null = null;
  #asked: Promise<Answer> | null = null;

  constructor(argv: readonly string[]) {
    this.#argv = argv;
  }

  /** Whether the next question starts a child. */
  get fresh(): boolean {
    return this.#living === null;
  }

  /**
   * Asks, and always gets an answer, at the latest after `timeout_ms`. A caller who asks while a question is open gets
   * the answer to that one.
   */
  ask(question: unknown, timeout_ms: number): Promise<Answer> {
    this.#asked ??= this.#put(question, timeout_ms).finally(() => {
      this.#asked = null;
    });
    return this.#asked;
  }

  /** Kills the child. The next question starts another. */
  close(): void {
    this.#end("it was ended");
  }

  async #put(question: unknown, timeout_ms: number): Promise<Answer> {
    if (this.#killed !== null && !(await hasEnded(this.#killed, Math.min(timeout_ms, ENDING_MS)))) {
      return { is: "failed", why: `process ${this.#killed.pid} did not answer before and cannot be ended: it hangs` };
    }
    this.#killed = null;
    const { promise, resolve } = Promise.withResolvers<Answer>();
    const living = this.#living ?? this.#start();
    if (typeof living === "string") return { is: "failed", why: living };
    living.settle = resolve;
    const late = `no answer within ${timeout_ms} ms`;
    const timer = setTimeout(() => {
      if (this.#living === living) this.#end(late);
      resolve({ is: "failed", why: late });
    }, timeout_ms);
    this.#write(living, question);
    const answer = await promise;
    clearTimeout(timer);
    living.settle = null;
    return answer;
  }

  #start(): Living | string {
    try {
      const child = Bun.spawn([...this.#argv], {
        stdio: ["pipe", "pipe", "ignore"],
        env: { PATH: SYSTEM_PATH, LANG: "C.UTF-8" },
        cwd: "/",
        detached: true,
      });
      own(child).unref();
      const living: Living = { child, settle: null };
      this.#living = living;
      this.#read(living)
        .then(() => this.#lost(living))
        .catch((error: unknown) => this.#lost(living, String(error)));
      return living;
    } catch (error) {
      return messageOf(error);
    }
  }

  #write(living: Living, question: unknown): void {
    const { child } = living;
    // A write to a full pipe may never end. Then the death of the child is noticed by other means, and only later.
    const writing = async (): Promise<void> => {
      await child.stdin.write(`${JSON.stringify({ question })}\n`);
      await child.stdin.flush();
    };
    writing().catch((error: unknown) => {
      if (this.#living === living) this.#end(messageOf(error));
    });
  }

  /** Reads answers until the output ends. Other lines come from the library, which may print anything. */
  async #read(living: Living): Promise<void> {
    const decoder = new TextDecoder();
    let text = "";
    for await (const chunk of living.child.stdout) {
      text += decoder.decode(chunk, { stream: true });
      const lines = text.split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) {
        const answer = answerIn(line);
        if (answer !== undefined) living.settle?.({ is: "answered", value: answer });
      }
      if (text.length > MOST_CHARACTERS) return this.#end("it answers without end");
    }
  }

  #lost(living: Living, why?: string): void {
    if (this.#living !== living) return;
    const { settle, child } = living;
    this.#living = null;
    this.#killed = child;
    hasEnded(child, ENDING_MS)
      .then((ended) => {
        // It has closed its output and lives on, so it answers nothing more.
        if (!ended) child.kill("SIGKILL");
        return child.exited;
      })
      .then(() => settle?.({ is: "failed", why: why ?? `the process that asks ended: ${endOf(child)}` }))
      .catch((error: unknown) => settle?.({ is: "failed", why: String(error) }));
  }

  #end(why: string): void {
    const living = this.#living;
    if (living === null) return;
    this.#living = null;
    this.#killed = living.child;
    living.child.kill("SIGKILL");
    living.settle?.({ is: "failed", why });
  }
}

const hasEnded = (child: Bun.Subprocess, within_ms: number): Promise<boolean> =>
  within(
    within_ms,
    child.exited.then(() => true),
    false,
  );

const endOf = ({ exitCode, signalCode }: Bun.Subprocess): string =>
  signalCode === null ? `exit ${exitCode}` : `signal ${signalName(signalCode)}`;

/** Returns the answer in a line, or undefined if there is none. */
function answerIn(line: string): unknown {
  return line.startsWith('{"answer":') ? fieldsOf(parsedJson(line))["answer"] : undefined;
}

/** The child's side: answers each question on its input until the input ends. */
export async function answerQuestions(answer: (question: unknown) => unknown): Promise<void> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of Bun.stdin.stream()) {
    text += decoder.decode(chunk, { stream: true });
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    for (const line of lines) {
      const { question } = fieldsOf(parsedJson(line));
      // The answer begins on a line of its own, whatever a library has printed before.
      writeWhole(`\n${JSON.stringify({ answer: answer(question) })}\n`);
    }
  }
}

function writeWhole(text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) at += writeSync(1, bytes, at);
}
