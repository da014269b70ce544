// The children that this process has started itself. Bun collects their exit codes; any other child was handed to this
// process when its parent died, and nobody but this process collects it.

const pids = new Set<number>();

/** Notes a child that this process has just started. */
export function own<T extends { readonly pid: number; readonly exited: Promise<number> }>(child: T): T {
  pids.add(child.pid);
  const over = (): void => {
    pids.delete(child.pid);
  };
  child.exited.then(over).catch(over);
  return child;
}

export const isOwn = (pid: number): boolean => pids.has(pid);
