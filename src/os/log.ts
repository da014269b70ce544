// A daemon's messages on standard error: plain lines for people, JSON lines for collectors.

import { writeSync } from "node:fs";
import { nowMs } from "./clock";

export interface LogOptions {
  readonly part: string;
  readonly form: "plain" | "json";
  /** Writes one line; standard error by default. */
  readonly write?: (line: string) => void;
}

export type Say = (message: string, facts?: Readonly<Record<string, string | number | null>>) => void;

/** Writes a line. A log that takes nothing, as on a full disk, must not end what it is the log of. */
function toStandardError(line: string): void {
  try {
    writeSync(2, `${line}\n`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
  }
}

/** Makes a function that logs one message per call. */
export function createLog(options: LogOptions): Say {
  const write = options.write ?? toStandardError;
  return (message, facts = {}) => {
    const at = new Date(nowMs()).toISOString();
    if (options.form === "json") return write(JSON.stringify({ at, part: options.part, message, ...facts }));
    const shown = Object.entries(facts)
      .map(([name, value]) => ` ${name}=${value}`)
      .join("");
    write(`${at} ${options.part}: ${message}${shown}`);
  };
}
