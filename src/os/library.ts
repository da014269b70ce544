// Vendors' libraries, opened by absolute path at run time. Each function is looked up at its first call, since releases
// of a library differ in what they offer.

import { dlopen } from "bun:ffi";
import { isAbsolute } from "node:path";
import { messageOf } from "./errors";

/** A 64-bit number is passed as `bigint`, a buffer as its address. */
export type Argument = number | bigint | Uint8Array | Uint32Array | BigUint64Array;

export interface Library {
  /**
   * Calls a function and returns its result, or null if the library does not have it. `kinds` gives the C types of the
   * arguments.
   */
  call(name: string, kinds: readonly ArgumentKind[], ...args: readonly Argument[]): number | null;
}

export type ArgumentKind = "u32" | "u64" | "ptr";
export type Opened =
  { readonly is: "opened"; readonly library: Library } | { readonly is: "failed"; readonly why: string };

type Call = (...args: readonly Argument[]) => number;

/** Opens a library whose functions all return an `int`. `probe` names a function that it must have. */
export function openLibrary(path: string, probe: string): Opened {
  // A bare name would also be looked up in the current directory.
  if (!isAbsolute(path)) return { is: "failed", why: `${path} is not an absolute path` };
  const first = callIn(path, probe, []);
  if (typeof first === "string") return { is: "failed", why: first };
  const calls = new Map<string, Call | null>();
  return {
    is: "opened",
    library: {
      call(name, kinds, ...args) {
        let call = calls.get(name);
        if (call === undefined) {
          const found = callIn(path, name, kinds);
          call = typeof found === "string" ? null : found;
          calls.set(name, call);
        }
        return call === null ? null : call(...args);
      },
    },
  };
}

/**
 * Returns a function of the library, or why there is none. The system maps the library once, however often it is
 * opened.
 */
function callIn(path: string, name: string, kinds: readonly ArgumentKind[]): Call | string {
  try {
    return dlopen(path, { [name]: { args: [...kinds], returns: "i32" } }).symbols[name] as unknown as Call;
  } catch (error) {
    return messageOf(error);
  }
}
