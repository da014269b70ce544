// For working on orch: server and agent from the sources, started again when a file changes, with their data in
// .out/dev. Tasks live on over the restarts, as they do over real ones. Ctrl-C ends the two; `rm -r .out/dev` forgets
// everything.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "..");
const DATA = join(ROOT, ".out", "dev");

await mkdir(DATA, { recursive: true });
console.log(`data in ${DATA}; try: ORCH_DATA=${DATA} bun src/main.ts nodes`);
const argv = [process.execPath, "--watch", "src/main.ts", "up", "--data", DATA, ...process.argv.slice(2)];
const up = Bun.spawn(argv, { cwd: ROOT, stdio: ["inherit", "inherit", "inherit"] });
// The terminal sends Ctrl-C to both processes; this process only waits for the other one to end.
process.on("SIGINT", () => undefined);
process.exitCode = await up.exited;
