// Libraries of vendors, opened by absolute path while the program runs. Each call is looked up when it is first made,
// since no two releases of a library have the same ones.

import { dlopen } from "bun:ffi";
import { isAbsolute } from "node:path";

/** 64 bits go as `bigint`; a buffer goes as its address. */
export type Argument = number | bigint | Uint8Array | Uint32Array | BigUint64Array;

export interface Library {
  /** What the call gave back; `null`: this library has no such call. `kinds` says what its arguments are in C. */
  call(name: string, kinds: readonly ArgumentKind[], ...args: readonly Argument[]): number | null;
}

export type ArgumentKind = "u32" | "u64" | "ptr";
export type Opened =
  { readonly is: "opened"; readonly library: Library } | { readonly is: "failed"; readonly why: string };

type Call = (...args: readonly Argument[]) => number;

/** Opens a library all of whose calls give back an `int`; `probe` is one that it must have. */
export function openLibrary(path: string, probe: string): Opened {
  // A bare name would be looked for in the current directory too.
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

/** One call of the library, or why there is none. The library itself is mapped once, however often it is opened. */
function callIn(path: string, name: string, kinds: readonly ArgumentKind[]): Call | string {
  try {
    return dlopen(path, { [name]: { args: [...kinds], returns: "i32" } }).symbols[name] as unknown as Call;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
