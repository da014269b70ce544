// Who can open which card: real tasks and real device files. Harmless character devices stand in for the cards' own.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { accessOf } from "../../../src/agent/devices/access";
import type { Handle } from "../../../src/agent/devices/device";
import { deviceKeepingProblem } from "../../../src/os/cgroup/devices";
import { findCgroups } from "../../../src/os/cgroup/hierarchy";
import { removeBases } from "../../../src/os/cgroup/keeper-group";
import { deviceNumber } from "../../../src/os/device-deny";
import { assignmentFor, begin, ended, makeSite, type OpenTasks, output, type Site } from "../../support/tasks";

const cgroups = findCgroups("access-of-tests");
const problem = process.getuid?.() === 0 ? deviceKeepingProblem(cgroups) : "this is not root";
removeBases(cgroups);

const dir = mkdtempSync(join(tmpdir(), "orch-cards-"));
const file = (name: string): string => join(dir, name);

/** As the driver numbers them, so to speak: full, zero and random. */
const NODES = { "card-a": [1, 7], "card-b": [1, 5], ctl: [1, 8] } as const;

const handle = (name: "a" | "b"): Handle => ({
  id: name,
  vendor: "nvidia",
  parent: null,
  visible: name === "a" ? "0" : "1",
  files: [file(`card-${name}`), file("is-not-there")],
  shared_files: [file("ctl")],
  counted: true,
  missing: false,
});
const handles = [handle("a"), handle("b")];

describe.if(problem === null)(`device files${problem === null ? "" : ` (skipped: ${problem})`}`, () => {
  let site: Site;
  let tasks: OpenTasks;
  beforeAll(async () => {
    for (const [name, [major, minor]] of Object.entries(NODES)) {
      const made = Bun.spawn(["mknod", "-m", "666", file(name), "c", String(major), String(minor)]);
      expect(await made.exited).toBe(0);
    }
    chmodSync(dir, 0o755);
    site = await makeSite();
    tasks = await site.open({ access: (promised) => accessOf(promised, handles, { keeps: true, mps: null }) });
  });
  afterAll(async () => {
    rmSync(dir, { recursive: true });
    expect(await site.close()).toEqual([]);
  });

  const SYSTEM = ["/dev/null", "/dev/urandom", "/dev/ptmx"];
  const tries = [...Object.keys(NODES).map(file), ...SYSTEM];
  const script = tries.map((path) => `if ( : < ${path} ) 2>/dev/null; then echo ${path}; fi`).join("\n");
  async function opened(ids: readonly string[], unix_user: string | null = null): Promise<string[]> {
    const { promised } = assignmentFor("true");
    const devices = ids.map((id) => ({ id, bytes: null }));
    const uid = await begin(tasks, assignmentFor(script, { unix_user, promised: { ...promised, devices } }));
    expect(await ended(tasks, uid)).toMatchObject({ exit_code: 0, reason: null });
    const lines = (await output(site.data, uid)).trim().split("\n");
    expect(lines.slice(-SYSTEM.length)).toEqual(SYSTEM);
    return lines.slice(0, -SYSTEM.length).map((line) => line.slice(dir.length + 1));
  }

  for (const user of [null, "nobody"]) {
    const who = user === null ? "as root" : `as ${user}`;
    test(`${who}: a task opens its own card and what all of them need, and not the other`, async () => {
      expect(await opened(["a"], user)).toEqual(["card-a", "ctl"]);
      expect(await opened(["b"], user)).toEqual(["card-b", "ctl"]);
      expect(await opened(["a", "b"], user)).toEqual(["card-a", "card-b", "ctl"]);
    });
    test(`${who}: a task without a card opens none, and everything else`, async () => {
      expect(await opened([], user)).toEqual([]);
    });
  }

  test("a card is called by its place among those that its task can open", () => {
    const called = (ids: readonly string[], keeps: boolean): string | undefined => {
      const promised = ids.map((id) => ({ id, bytes: null }));
      return accessOf(promised, handles, { keeps, mps: null }).variables["CUDA_VISIBLE_DEVICES"];
    };
    expect([called(["a"], true), called(["b"], true), called(["b", "a"], true)]).toEqual(["0", "0", "1,0"]);
    expect([called(["a"], false), called(["b"], false), called([], true)]).toEqual(["0", "1", ""]);
  });

  test("a card that ROCm does not count has no place, and one in partitions has several", () => {
    const amd = [
      ["a", ""],
      ["b", "0,1"],
      ["c", "2,3"],
    ] as const;
    const cards = amd.map(([id, visible]): Handle => {
      const files = [id === "c" ? file("ctl") : file(`card-${id}`)];
      return { ...handle("a"), id, vendor: "amd", visible, files, shared_files: [] };
    });
    const called = (id: string, keeps: boolean): string | undefined =>
      accessOf([{ id, bytes: null }], cards, { keeps, mps: null }).variables["ROCR_VISIBLE_DEVICES"];
    expect([called("a", true), called("b", true), called("c", true)]).toEqual(["", "0,1", "0,1"]);
    expect([called("a", false), called("b", false), called("c", false)]).toEqual(["", "0,1", "2,3"]);
  });

  test("a card that is gone is still denied, and counts no more among the others", () => {
    const after = handles.map((one) => (one.id === "a" ? { ...one, missing: true } : { ...one, visible: "1" }));
    const { variables, denied } = accessOf([{ id: "b", bytes: null }], after, { keeps: true, mps: null });
    expect(variables["CUDA_VISIBLE_DEVICES"]).toBe("1");
    expect(denied).toEqual([{ major: 1, minor: 7 }]);
  });

  test("what is denied has a number, and what is not there has none", () => {
    expect(accessOf([{ id: "a", bytes: null }], handles, { keeps: true, mps: null }).denied).toEqual([
      { major: 1, minor: 5 },
    ]);
    expect(accessOf([], handles, { keeps: true, mps: null }).denied).toHaveLength(3);
    expect(accessOf([], handles, { keeps: false, mps: null }).denied).toEqual([]);
    expect(deviceNumber(file("is-not-there"))).toBeNull();
    expect(deviceNumber(dir)).toBeNull();
  });
});
