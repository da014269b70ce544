// The entry point: from argv to a command and its exit code. Only this file ends the process, and only it knows both
// the command line and the parts that commands start. Code is loaded when a command needs it.

import type { Parts } from "./cli/parts";
import { veiled } from "./os/anew";
import { complainNow, sayNow } from "./os/streams";
import { lostOutput } from "./cli/frame/lost-output";
import { versionText } from "./cli/frame/version";

const { argv, token } = veiled(process.argv.slice(2));

const parts: Parts = {
  startServer: async (options) => (await import("./server/server")).startServer(options),
  runAgent: async (options) => (await import("./agent/agent")).runAgent(options),
  async restore(data_dir, file) {
    const [{ restoreDatabase }, { nowMs }, { randomHex }] = await Promise.all([
      import("./store/restore"),
      import("./os/clock"),
      import("./os/dice"),
    ]);
    return restoreDatabase({
      dir: `${data_dir}/server`,
      from: file,
      clock: nowMs,
      random: (count) => Buffer.from(randomHex(count), "hex"),
    });
  },
};

/** Returns whether the version is asked for. Scripts ask often, so nothing else is loaded for it. */
function isVersion(): boolean {
  const [first, ...rest] = argv;
  return (first === "version" || first === "--version" || first === "-V") && rest.every((one) => one === "--json");
}

function sayVersion(): number {
  try {
    sayNow(`${versionText(argv.includes("--json"))}\n`);
    return 0;
  } catch (error) {
    const { exit, line } = lostOutput(error as NodeJS.ErrnoException);
    complainNow(line);
    return exit;
  }
}

async function main(): Promise<number> {
  const [first, dir] = argv;
  // Agents start their keeper themselves: one process a node, for long. It loads its own code and none of the command
  // line's.
  if (first === "keeper" && dir !== undefined && !dir.startsWith("-") && argv.length === 2) {
    await (await import("./agent/keeper/keeper")).runKeeper(dir);
    return 0;
  }
  // The keeper starts its guard. The directory only shows in a list of processes whose guard it is.
  if (first === "guard" && dir !== undefined && !dir.startsWith("-") && argv.length === 2) {
    await (await import("./agent/keeper/guarding")).runGuard();
    return 0;
  }
  if (first === "gpu-probe") {
    process.stdout.write(await (await import("./agent/cards/gpu-probe")).runGpuProbe(argv.slice(1)));
    return 0;
  }
  if (first === "hardware" && argv.length === 1) {
    process.stdout.write(await (await import("./os/facts")).askHardware());
    return 0;
  }
  if (first === "self-test" && argv.length === 1) {
    await (await import("./agent/tests/self-test")).runSelfTest();
    return 0;
  }
  if (isVersion()) return sayVersion();
  const [{ dispatch }, { processHost }, { nowMs }] = await Promise.all([
    import("./cli/dispatch"),
    import("./cli/frame/terminal"),
    import("./os/clock"),
  ]);
  const { host, flushed } = processHost(parts, token, nowMs, (code) => process.exit(code));
  const code = await dispatch(argv, host);
  const isWhole = await flushed();
  return code === 0 && !isWhole ? 1 : code;
}

process.exit(await main());
