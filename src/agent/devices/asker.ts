// How a probe has a look made where it may hang: by a child of this program, one look at a time.

import { Answerer } from "../../os/answerer";
import { selfCommand } from "../../os/self";
import type { LookLimits } from "./device";

export interface Asker<T> {
  /** What the child saw, or why it could not tell. */
  ask(): Promise<T | string>;
  close(): void;
}

/** A child that looks for a vendor at a place: its library's path, or the root of the machine's files. */
export function createAsker<T>(vendor: string, place: string, limits: LookLimits): Asker<T> {
  const answerer = new Answerer([...selfCommand(), "gpu-probe", vendor, place]);
  return {
    async ask() {
      const answer = await answerer.ask(null, answerer.fresh ? limits.first_ms : limits.later_ms);
      return answer.is === "failed" ? answer.why : (answer.value as T);
    },
    close: () => answerer.close(),
  };
}

/** A look that is asked for while one is out is that one. */
export function oneAtATime<T>(look: () => Promise<T>): () => Promise<T> {
  let looking: Promise<T> | null = null;
  return () => {
    looking ??= look().finally(() => {
      looking = null;
    });
    return looking;
  };
}
