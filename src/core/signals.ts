// Signals by name and number. The numbers are those of Linux, where tasks run, whatever machine asks. The exit code of
// a task that a signal ended is 128 + the signal's number, as in every shell.

const NUMBERS: Readonly<Record<string, number>> = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  ILL: 4,
  TRAP: 5,
  ABRT: 6,
  BUS: 7,
  FPE: 8,
  KILL: 9,
  USR1: 10,
  SEGV: 11,
  USR2: 12,
  PIPE: 13,
  ALRM: 14,
  TERM: 15,
  STKFLT: 16,
  CHLD: 17,
  CONT: 18,
  STOP: 19,
  TSTP: 20,
  TTIN: 21,
  TTOU: 22,
  URG: 23,
  XCPU: 24,
  XFSZ: 25,
  VTALRM: 26,
  PROF: 27,
  WINCH: 28,
  IO: 29,
  PWR: 30,
  SYS: 31,
};

/** The signals by which a spec may ask a task to end. */
export const STOP_SIGNALS: readonly string[] = "HUP INT QUIT ABRT KILL USR1 USR2 PIPE ALRM TERM CONT WINCH".split(" ");

/** Returns a signal's name as it is kept: upper case, without SIG. */
export const bareSignal = (name: string): string => name.trim().toUpperCase().replace(/^SIG/, "");

/** The highest number of a signal. Those above 31 are the real-time signals, which have no names. */
const HIGHEST = 64;

/** Returns the number of a signal (`TERM`, `SIGTERM`, or a number without a name: `40`), or null if there is none. */
export function linuxSignal(name: string): number | null {
  const number = Number(name);
  return NUMBERS[bareSignal(name)] ?? (Number.isInteger(number) && number > 0 && number <= HIGHEST ? number : null);
}
