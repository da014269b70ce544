// How the JavaScript engine of this process runs code: fast, as it is by default, or small.

/**
 * How many times more often than by default code has to run before it is compiled. Measured at 30, an idle agent takes
 * 4 MB less (a keeper none); 100 saves no more. Code that is hot is still compiled.
 */
const RELUCTANCE = 30;

/** For processes that run long and do little: what runs now and then stays in the interpreter and takes no memory. */
export function preferSmall(): void {
  Bun.unsafe.setJITPolicy(RELUCTANCE);
}
