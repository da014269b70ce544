// A command of the compiled binary in a terminal of its own.

import { BINARY } from "./program";

export interface OnTerminal {
  readonly child: Bun.Subprocess;
  /** Returns all that was written to the terminal, controls and echoed keys too. */
  readonly shown: () => string;
  readonly type: (text: string) => void;
}

export const CTRL_C = "\x03";
export const CTRL_D = "\x04";

export function onTerminal(
  argv: readonly string[],
  env: Record<string, string>,
  { cols = 120, rows = 40 }: { readonly cols?: number; readonly rows?: number } = {},
): OnTerminal {
  const decoder = new TextDecoder();
  let shown = "";
  const child = Bun.spawn([BINARY, ...argv], {
    env,
    terminal: {
      cols,
      rows,
      data: (_, data) => {
        shown += decoder.decode(data, { stream: true });
      },
    },
  });
  return {
    child,
    shown: () => shown,
    type: (text) => {
      child.terminal?.write(text);
    },
  };
}
