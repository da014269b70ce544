// Tasks that share a card and their promises: who takes too much has to end, and nobody else; where NVIDIA's own
// service runs, it is told the limits.

import { afterAll, afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, chownSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { accessOf } from "../../../src/agent/devices/access";
import type { Handle } from "../../../src/agent/devices/device";
import { findMps } from "../../../src/agent/devices/mps";
import type { CardWatch } from "../../../src/agent/cards/watch";
import { createLimits } from "../../../src/agent/machine/limits";
import { overdrawn, SHARE_TOLERANCE, type Strikes } from "../../../src/core/agent/share";
import type { CardUser, Holder } from "../../../src/core/agent/card-users";
import { shortId } from "../../../src/core/model/task";
import { GIB, MIB } from "../../../src/core/units";
import { waitUntil } from "../../support/wait";
import { cardFor, scriptedProbe, seenAs } from "../../support/cards";
import { blocked, makeWatchRoot, makeWatchSite, pass, taskOn, type WatchSite } from "../../support/watched";

describe("a share", () => {
  const holder = (uid: string, bytes: number | null): Holder => ({ uid, name: uid, user: "a", bytes, started_ms: 0 });
  const took = (uid: string, memory_bytes: number | null): CardUser => ({
    pid: 1,
    user: "a",
    command: "python",
    memory_bytes,
    task_uid: uid,
    start: "1",
    began_ms: 0,
    task: { uid, name: uid, lives: true },
  });
  /** What several looks in a row bring. */
  function looks(
    holders: readonly Holder[],
    ...all: readonly (readonly CardUser[])[]
  ): (readonly [string, string])[][] {
    let strikes: Strikes = new Map();
    return all.map((users) => {
      const one = overdrawn("GPU-1", users, holders, strikes);
      strikes = one.strikes;
      return [...one.over];
    });
  }
  const [greedy, modest] = [holder("greedy", 8 * GIB), holder("modest", 8 * GIB)];
  const over = [took("greedy", 6 * GIB), took("greedy", 3.1 * GIB), took("modest", 8 * GIB)];
  const end = ["greedy", "took 9.1 GB of GPU memory on GPU-1, asked for 8 GB"] as const;

  test("that is overdrawn at two looks in a row ends its task, and no other", () =>
    expect(looks([greedy, modest], over, over)).toEqual([[], [end]]));
  test("may be overdrawn for a moment", () =>
    expect(looks([greedy, modest], over, [took("greedy", GIB)], over)).toEqual([[], [], []]));
  test("has a little more than it says", () => {
    const most = [took("greedy", Math.floor(8 * GIB * SHARE_TOLERANCE))];
    expect(looks([greedy], most, most, most)).toEqual([[], [], []]);
  });
  test("of a whole card has no end, and neither has what nobody tells", () => {
    expect(looks([holder("greedy", null)], over, over)).toEqual([[], []]);
    expect(looks([greedy], [took("greedy", null)], [took("greedy", null)])).toEqual([[], []]);
  });
});

describe("the watch", () => {
  const { root, remove } = makeWatchRoot();
  afterAll(remove);
  let site: WatchSite;
  let watch: CardWatch;
  beforeEach(() => {
    site = makeWatchSite(root);
  });
  afterEach(() => site.close());

  test("looks every second at a shared card, and condemns the one that takes too much within two looks", async () => {
    const probe = scriptedProbe(seenAs(cardFor("GPU-1")));
    watch = site.open([probe]);
    blocked(watch);
    await pass(0);
    const [greedy, modest] = [taskOn("GPU-1", 8 * GIB), taskOn("GPU-1", 8 * GIB)];
    const children = [greedy, modest].map(({ uid }) =>
      Bun.spawn(["/bin/sleep", "60"], { stdin: "ignore", env: { ORCH_TASK: shortId(uid) } }),
    );
    blocked(watch, [greedy, modest]);
    await pass(5_000);
    const [one = 0, two = 0] = children.map(({ pid }) => pid);
    const memory = (pid: number, gib: number) => ({ pid, memory_bytes: gib * GIB });
    const processes = [memory(one, 10), memory(two, 7)];
    probe.shows = seenAs(cardFor("GPU-1", { processes, memory_used_bytes: 18 * GIB }));
    let woken = 0;
    watch.onChange(() => woken++);
    await pass(1_000);
    expect(watch.verdicts().size).toBe(0);
    await pass(1_100);
    expect([...watch.verdicts()]).toEqual([[greedy.uid, "took 10 GB of GPU memory on GPU-1, asked for 8 GB"]]);
    expect(woken).toBeGreaterThan(0);
    for (const child of children) child.kill("SIGKILL");
  });
});

describe("NVIDIA's own service", () => {
  const dir = mkdtempSync(join(tmpdir(), "orch-mps-"));
  afterAll(() => rmSync(dir, { recursive: true }));
  const handle = (id: string, visible: string): Handle => ({
    id,
    visible,
    vendor: "nvidia",
    parent: null,
    files: [],
    shared_files: [],
    counted: true,
    missing: false,
  });
  const handles = [handle("GPU-1", "0"), handle("GPU-2", "1")];
  const given = (mps: ReturnType<typeof findMps>, ...promised: { id: string; bytes: number | null }[]) =>
    accessOf(promised, handles, { keeps: false, mps }).variables;

  test("is found by its daemon, limits shares while it runs, and is none any more when it has ended", async () => {
    expect(findMps(dir)).toBeNull();
    const daemon = join(dir, "nvidia-cuda-mps-control");
    copyFileSync("/bin/sleep", daemon);
    const child = Bun.spawn([daemon, "60"], { stdin: "ignore" });
    mkdirSync(join(dir, "control"));
    writeFileSync(join(dir, "nvidia-cuda-mps-control.pid"), `${child.pid}\n`);
    const mps = await waitUntil("the daemon to have its name", () => findMps(dir));
    expect(given(mps, { id: "GPU-2", bytes: 8 * GIB }, { id: "GPU-1", bytes: 512 * MIB })).toMatchObject({
      CUDA_MPS_PIPE_DIRECTORY: dir,
      CUDA_MPS_PINNED_DEVICE_MEM_LIMIT: "0=8192M,1=512M",
      CUDA_VISIBLE_DEVICES: "GPU-2,GPU-1",
    });
    const whole = given(mps, { id: "GPU-2", bytes: null });
    expect(whole["CUDA_VISIBLE_DEVICES"]).toBe("1");
    expect(Object.keys(whole).filter((name) => name.includes("MPS"))).toEqual([]);
    // Where others may write, they may have put it there: a name, or a pipe that nobody ever writes to.
    chmodSync(dir, 0o777);
    expect(findMps(dir)).toBeNull();
    chmodSync(dir, 0o700);
    expect(findMps(dir)).toEqual(mps);
    if (process.getuid?.() === 0) {
      chownSync(dir, 65_534, 65_534);
      expect(findMps(dir)).toBeNull();
      chownSync(dir, 0, 0);
    }
    child.kill("SIGKILL");
    await child.exited;
    expect(findMps(dir)).toBeNull();
    expect(given(null, { id: "GPU-2", bytes: 8 * GIB })["CUDA_VISIBLE_DEVICES"]).toBe("1");
  });

  test("makes a share enforced; without it shares are watched, or counted where cards do not tell", () => {
    const none = { is: "none", detail: "made up" } as const;
    const share = (mps: { pipe_dir: string } | null, tell_memory: boolean) =>
      createLimits(none, () => mps).facts({ tell_memory }).share?.is;
    expect([share({ pipe_dir: dir }, false), share(null, true), share(null, false)]).toEqual([
      "enforced",
      "watched",
      "counted",
    ]);
    expect(createLimits(none, () => null).facts(null)).toMatchObject({
      devices: null,
      share: null,
      memory: { is: "counted" },
    });
  });
});
