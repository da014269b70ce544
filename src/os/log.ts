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

function toStandardError(line: string): void {
  writeSync(2, `${line}\n`);
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
