// Questions that may hang their asker (a vendor's library, a sick driver) are put to a process of its own, one at a
// time and each with a deadline. One that does not answer is killed and not waited for; a new one is started when the
// old is truly gone, so that they never pile up.

import { writeSync } from "node:fs";
import { signalName } from "./signals";
import { SYSTEM_PATH } from "./spawn";

export type Answer =
  { readonly is: "answered"; readonly value: unknown } | { readonly is: "failed"; readonly why: string };

/** What a process may say at most in one answer. */
const MOST_CHARACTERS = 16 * 1024 * 1024;
/** How long what was killed may take to be gone before it counts as stuck. */
const ENDING_MS = 2_000;

interface Living {
  readonly child: Bun.Subprocess<"pipe", "pipe", "ignore">;
  settle: ((answer: Answer) => void) | null;
}

export class Answerer {
  readonly #argv: readonly string[];
  #living: Living | null = null;
  /** Killed, and perhaps not gone yet: a process in an uninterruptible wait is not ended by any signal. */
  #killed: Living["child"] | null = null;
  #asked: Promise<Answer> | null = null;

  constructor(argv: readonly string[]) {
    this.#argv = argv;
  }

  /** Whether the next question starts a process. */
  get fresh(): boolean {
    return this.#living === null;
  }

  /** Always answers, at the latest after `timeout_ms`. Who asks while a question is out gets that one's answer. */
  ask(question: unknown, timeout_ms: number): Promise<Answer> {
    this.#asked ??= this.#put(question, timeout_ms).finally(() => {
      this.#asked = null;
    });
    return this.#asked;
  }

  /** Ends the process; the next question starts another. */
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
    const timer = setTimeout(() => this.#end(`no answer within ${timeout_ms} ms`), timeout_ms);
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
      child.unref();
      const living: Living = { child, settle: null };
      this.#living = living;
      this.#read(living).then(
        () => this.#lost(living),
        (error: unknown) => this.#lost(living, String(error)),
      );
      return living;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  #write({ child }: Living, question: unknown): void {
    try {
      void child.stdin.write(`${JSON.stringify({ question })}\n`);
      void child.stdin.flush();
    } catch (error) {
      this.#end(error instanceof Error ? error.message : String(error));
    }
  }

  /** Takes in answers until the output ends. Lines that are none come from the library: it may print what it likes. */
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
    child.exited.then(
      () => settle?.({ is: "failed", why: why ?? `the process that asks ended: ${endOf(child)}` }),
      (error: unknown) => settle?.({ is: "failed", why: String(error) }),
    );
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

async function hasEnded(child: Bun.Subprocess, within_ms: number): Promise<boolean> {
  const over = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => over.resolve(false), within_ms);
  const ended = await Promise.race([child.exited.then(() => true), over.promise]);
  clearTimeout(timer);
  return ended;
}

const endOf = ({ exitCode, signalCode }: Bun.Subprocess): string =>
  signalCode === null ? `exit ${exitCode}` : `signal ${signalName(signalCode)}`;

/** `undefined` for a line that is no answer. */
function answerIn(line: string): unknown {
  if (!line.startsWith('{"answer":')) return undefined;
  try {
    return (JSON.parse(line) as { answer: unknown }).answer;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The other end: answers each question that comes in, until there are no more. */
export async function answerQuestions(answer: (question: unknown) => unknown): Promise<void> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of Bun.stdin.stream()) {
    text += decoder.decode(chunk, { stream: true });
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    for (const line of lines) {
      const { question } = JSON.parse(line) as { question: unknown };
      // On a line of its own, whatever a library has left on the one before.
      writeWhole(`\n${JSON.stringify({ answer: answer(question) })}\n`);
    }
  }
}

function writeWhole(text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) at += writeSync(1, bytes, at);
}
