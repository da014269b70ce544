// Asks again and again whether this machine is about to be taken away, as owners of spot machines announce it: by a
// command or an address of the operator's. docs/node-life.md says what they may answer.

import { MINUTE_MS, SECOND_MS, type Ms } from "../../core/units";
import { nowMs } from "../../os/clock";
import { messageOf } from "../../os/errors";
import { runCommand } from "../../os/process/spawn";

const ASK_EVERY_MS = 5 * SECOND_MS;
const ANSWER_WITHIN_MS = 4 * SECOND_MS;
/** When the notice names no time: what most owners give. */
export const NOTICE_MS = 2 * MINUTE_MS;

export type NoticeAnswer =
  | { readonly is: "notice"; readonly text: string }
  | { readonly is: "none" }
  /** Nobody can say now: what was said last stands. */
  | { readonly is: "unknown"; readonly why: string };

const UNITS: Readonly<Record<string, Ms>> = { "": SECOND_MS, s: SECOND_MS, m: MINUTE_MS };
const INSTANT = /\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?/;

/** How long is left, from what a notice says: a moment anywhere in it, or a number of seconds and nothing else. */
export function timeLeft(text: string, now_ms: Ms): Ms {
  const instant = INSTANT.exec(text)?.[0];
  if (instant !== undefined) {
    const zoned = /(?:Z|[+-]\d\d:?\d\d)$/.test(instant) ? instant : `${instant}Z`;
    const at_ms = Date.parse(zoned);
    if (!Number.isNaN(at_ms)) return Math.max(0, at_ms - now_ms);
  }
  const [, count, unit = ""] = /^\s*(\d{1,6})\s*([sm]?)\s*$/.exec(text) ?? [];
  return count === undefined ? NOTICE_MS : Number(count) * (UNITS[unit] ?? SECOND_MS);
}

/** Some always answer, and say so in words. */
const isNo = (text: string): boolean => /^\s*(false|no|none|0)?\s*$/i.test(text);

/** Asks once. An address says notice by 200 and a body that is no "no"; a command by its exit code 0. */
export async function askNotice(source: string): Promise<NoticeAnswer> {
  if (/^https?:\/\//.test(source)) return askAddress(source);
  const asked = await runCommand(["/bin/sh", "-c", source], ANSWER_WITHIN_MS);
  if (asked.is === "failed") return { is: "unknown", why: asked.why };
  return asked.code === 0 ? { is: "notice", text: asked.out } : { is: "none" };
}

/** Owners that want a header of their own to answer. */
const HEADERS = { "Metadata-Flavor": "Google", Metadata: "true" };

async function askAddress(url: string): Promise<NoticeAnswer> {
  try {
    const response = await fetch(url, {
      headers: HEADERS,
      redirect: "error",
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    // The body may break off, or take longer than the answer may.
    return answerOf(response.status, await response.text());
  } catch (error) {
    return { is: "unknown", why: messageOf(error) };
  }
}

function answerOf(status: number, text: string): NoticeAnswer {
  if (status === 200) return isNo(text) ? { is: "none" } : { is: "notice", text };
  if (status === 401 || status === 403 || status >= 500) return { is: "unknown", why: `it answers ${status}` };
  return { is: "none" };
}

export interface NoticeOptions {
  readonly source: string;
  readonly clock: () => Ms;
  readonly say: (line: string) => void;
  /** A notice, with the time of `clock` at which the machine goes; `null`: it was taken back. */
  readonly told: (until_ms: Ms | null) => void;
}

/** Asks every 5 seconds until it is stopped. What was announced comes no later by being announced again. */
export function watchNotice({ source, clock, say, told }: NoticeOptions): () => void {
  let until: Ms | null = null;
  let said = "";
  let stopped = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function take(answer: NoticeAnswer): void {
    const why = answer.is === "unknown" ? answer.why : "";
    if (why !== said && why !== "") say(`the termination notice cannot be asked for: ${why}`);
    said = why;
    if (answer.is === "none" && until !== null) told((until = null));
    if (answer.is !== "notice") return;
    const next = clock() + timeLeft(answer.text, nowMs());
    if (until !== null && next >= until - SECOND_MS) return;
    told((until = next));
  }

  function ask(): void {
    askNotice(source)
      .catch((error: unknown): NoticeAnswer => ({ is: "unknown", why: messageOf(error) }))
      .then((answer) => {
        if (stopped) return;
        timer = setTimeout(ask, ASK_EVERY_MS);
        take(answer);
      })
      .catch((error: unknown) => say(`a termination notice could not be taken in: ${messageOf(error)}`));
  }

  ask();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
