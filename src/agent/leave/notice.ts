// Asks repeatedly whether this machine is about to be taken away, as owners of spot machines announce it. The operator
// names a command or an address to ask. Its answers are described in docs/node-life.md.

import { MINUTE_MS, SECOND_MS, type BootMs, type Ms } from "../../core/units";
import { nowMs } from "../../os/clock";
import { messageOf } from "../../os/errors";
import { runCommand } from "../../os/process/spawn";
import { requestOptions } from "../../wire/dial";

const ASK_EVERY_MS = 5 * SECOND_MS;
const ANSWER_WITHIN_MS = 4 * SECOND_MS;
/** The time that is left if the notice names none: the usual one of machine owners. */
export const NOTICE_MS = 2 * MINUTE_MS;

export type NoticeAnswer =
  | { readonly is: "notice"; readonly text: string }
  | { readonly is: "none" }
  /** No answer now. The answer before stays valid. */
  | { readonly is: "unknown"; readonly why: string };

const UNITS: Readonly<Record<string, Ms>> = { "": SECOND_MS, s: SECOND_MS, m: MINUTE_MS };
const INSTANT = /\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?/;

/**
 * Returns the time that is left according to a notice. The notice may contain a moment anywhere, or consist of a number
 * with the unit s or m: `90` and `90s` are 90 seconds, `2m` are two minutes. Returns NOTICE_MS for any other text.
 */
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

/** Returns whether an answer says in words that there is no notice. */
const isNo = (text: string): boolean => /^\s*(false|no|none|0)?\s*$/i.test(text);

/** Asks once. An address announces the end by status 200 and a body other than "no", a command by exit code 0. */
export async function askNotice(source: string): Promise<NoticeAnswer> {
  if (/^https?:\/\//.test(source)) return askAddress(source);
  const asked = await runCommand(["/bin/sh", "-c", source], ANSWER_WITHIN_MS);
  if (asked.is === "failed") return { is: "unknown", why: asked.why };
  return asked.code === 0 ? { is: "notice", text: asked.out } : { is: "none" };
}

/** Some owners answer only requests with their own header. */
const HEADERS = { "Metadata-Flavor": "Google", Metadata: "true" };

async function askAddress(url: string): Promise<NoticeAnswer> {
  try {
    const response = await fetch(url, {
      headers: HEADERS,
      ...requestOptions(false),
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    // Reading the body may fail, or take longer than ANSWER_WITHIN_MS.
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
  readonly clock: () => BootMs;
  readonly say: (line: string) => void;
  /** Called with the time of `clock` at which the machine goes, or with null when the notice was withdrawn. */
  readonly told: (until_ms: Ms | null) => void;
}

/**
 * Asks again 5 seconds after each answer, until it is stopped. A repeated notice can bring the end forward, and never
 * puts it off.
 */
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
