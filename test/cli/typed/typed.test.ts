// The small texts people type: names of things, labels, taints, shares, cards, variables; read or refused.

import { describe, expect, test } from "bun:test";
import { activeIn, readActivate, readEnv, readEnvFile } from "../../../src/cli/typed/environment";
import { flagOf, jobOf, type JobFlags } from "../../../src/cli/typed/job";
import { readSetting } from "../../../src/cli/typed/limit-names";
import {
  isCardId,
  readCapacity,
  readFakeDevices,
  readLabel,
  readListen,
  readPair,
  readTaint,
} from "../../../src/cli/typed/readers";
import type { Parsed } from "../../../src/spec/issue";

const GIB = 2 ** 30;
/** The value, or the complaint as a text. */
const said = (reading: Parsed<unknown>): unknown =>
  reading.is === "parsed" ? reading.value : `refused: ${reading.message}`;

describe("an option", () => {
  test("K=V keeps further signs in its value", () =>
    expect(said(readPair("a=b=c"))).toEqual({ key: "a", value: "b=c" }));
  test("K=V needs a key", () => expect(said(readPair("=b"))).toBe('refused: "=b" is not KEY=VALUE'));
  test("label has the key of a label", () => expect(said(readLabel("a b=c"))).toStartWith("refused"));
  const TAINTS: readonly (readonly [string, unknown])[] = [
    ["team=vision:no_schedule", { key: "team", value: "vision", effect: "no_schedule" }],
    ["slow:PreferNoSchedule", { key: "slow", value: "", effect: "prefer_not" }],
    ["team=vision", { key: "team", value: "vision", effect: "no_schedule" }],
    ["team=vision:maybe", 'refused: "maybe" is no effect of a taint'],
  ];
  for (const [typed, read] of TAINTS)
    test(`taint ${typed} is read`, () => expect(said(readTaint(typed))).toEqual(read));
  test("capacity names what it shares", () => {
    expect(said(readCapacity("cpu=4,memory=8GiB,disk=100GiB,licence.matlab=1"))).toEqual({
      cpu_milli: 4000,
      memory_bytes: 8 * GIB,
      disk_bytes: 100 * GIB,
      countables: { "licence.matlab": 1 },
    });
    expect(said(readCapacity("cpu=500m"))).toEqual({ cpu_milli: 500 });
    expect(said(readCapacity("seats=many"))).toBe("refused: seats=many is not a whole number");
    expect(said(readCapacity("seats=-1"))).toBe("refused: seats=-1 is not a whole number");
  });
  test("device names a card of the machine", () => {
    for (const id of ["GPU-8a1c2d3e", "MIG-1234", "amd-0000:03:00.0"]) expect(isCardId(id)).toBe(true);
    for (const id of ["fake:A100:80GB", "GPU", "GPU-", "0", "GPU-1 2"]) expect(isCardId(id)).toBe(false);
  });
  test("device makes cards whose ids differ", () => {
    const read = readFakeDevices("fake:A100:80GB:2", "s");
    expect(
      read.is === "parsed" && read.value.map(({ id, vendor, memory_bytes }) => [id, vendor, memory_bytes]),
    ).toEqual([
      ["fake-s-a100-0", "nvidia", 80 * GIB],
      ["fake-s-a100-1", "nvidia", 80 * GIB],
    ]);
    expect(said(readFakeDevices("real:A100:80GB", "s"))).toStartWith("refused");
    expect(said(readFakeDevices("fake:A100:80GB:0", "s"))).toStartWith("refused");
    const amd = readFakeDevices("fake:MI300X:192GB", "s");
    expect(amd.is === "parsed" && amd.value[0]?.vendor).toBe("amd");
  });
  const LISTENS: readonly (readonly [string, unknown])[] = [
    ["127.0.0.1:0", "127.0.0.1:0"],
    [":4400", "0.0.0.0:4400"],
    ["*:1", "0.0.0.0:1"],
    ["[::1]:4400", "[::1]:4400"],
    ["box1:99999", 'refused: "box1:99999" is not HOST:PORT'],
    ["::1:4400", 'refused: "::1:4400" is not HOST:PORT'],
  ];
  for (const [typed, read] of LISTENS)
    test(`listen ${typed} is read`, () => expect(said(readListen(typed))).toEqual(read));
  const SETTINGS: readonly (readonly [string, unknown])[] = [
    ["replace_after=5s", { name: "replace_after_ms", value: 5000 }],
    ["replace_after_ms=250", { name: "replace_after_ms", value: 250 }],
    ["reject_limit=3", { name: "reject_limit", value: 3 }],
    ["port_range=20000..20100", { name: "port_range", value: [20_000, 20_100] }],
    ["port_range=9..1", 'refused: "9..1" is no range of ports'],
    ["replace_after=5", "refused: 5 needs a unit"],
  ];
  for (const [typed, read] of SETTINGS)
    test(`set ${typed} is read`, () => expect(said(readSetting(typed))).toEqual(read));
});

describe("variables", () => {
  test("are taken from here when no value is given", () => {
    expect(said(readEnv("A", { A: "1" }))).toEqual(["A", "1"]);
    expect(said(readEnv("A=", { A: "1" }))).toEqual(["A", ""]);
    expect(said(readEnv("A", {}))).toBe("refused: A is not set here");
    expect(said(readEnv("ORCH_RUN=1", {}))).toStartWith("refused");
  });
  test("in a file keep their text, and an error names its line", () => {
    expect(said(readEnvFile('# c\nA=1 # no comment\n\nB="x"\r\nC\n', { C: "3" }))).toEqual({
      A: "1 # no comment",
      B: '"x"',
      C: "3",
    });
    expect(said(readEnvFile("A=1\nb-c=2\n", {}))).toStartWith("refused: line 2: ");
  });
});

describe("an environment of programs", () => {
  const venv = { activate: { kind: "venv", dir: "/v" }, env: {} } as const;
  const base = { CONDA_PREFIX: "/c", CONDA_DEFAULT_ENV: "base" };
  const conda = { activate: { kind: "conda", dir: "/c" }, env: { CONDA_DEFAULT_ENV: "base" } } as const;

  test("is the one that was activated last in the shell", () => {
    expect(activeIn({ PATH: "/usr/bin" })).toBeNull();
    expect(activeIn({ VIRTUAL_ENV: "/v" })).toEqual(venv);
    expect(activeIn(base)).toEqual(conda);
    expect(activeIn({ ...base, VIRTUAL_ENV: "/v" })).toEqual(venv);
    expect(activeIn({ ...base, VIRTUAL_ENV: "/v", PATH: "/v/bin:/c/bin:/bin" })).toEqual(venv);
    expect(activeIn({ ...base, VIRTUAL_ENV: "/v", PATH: "/c/bin:/v/bin:/bin" })).toEqual(conda);
  });
  test("can be named, or none", () => {
    expect(said(readActivate("venv=/a b=c", "/w"))).toEqual({ activate: { kind: "venv", dir: "/a b=c" }, env: {} });
    expect(said(readActivate("none", "/w"))).toEqual({ activate: null, env: {} });
    expect(said(readActivate("venv=.venv", "/w"))).toEqual({ activate: { kind: "venv", dir: "/w/.venv" }, env: {} });
    expect(said(readActivate("conda=../c", "/w/x"))).toEqual({ activate: { kind: "conda", dir: "/w/c" }, env: {} });
    expect(said(readActivate("conda=base", "/w"))).toContain("names no directory");
    expect(said(readActivate("/v", "/w"))).toContain("is no environment of programs");
  });
});

test("a file of variables may begin with a byte-order mark", () => {
  expect(readEnvFile("\ufeffA=1\r\nB=2\r\n", {})).toEqual({ is: "parsed", value: { A: "1", B: "2" } });
});

describe("a job", () => {
  const NONE: JobFlags = {
    gpu: null,
    cpu: null,
    memory: null,
    time: null,
    nodes: null,
    array: null,
    pool: null,
    host: [],
    where: [],
    tolerate: [],
    priority: null,
    after: [],
    afterAny: [],
    afterFailed: [],
    label: [],
    limit: [],
    workdir: "/here",
    activate: null,
    login: false,
    onUnknownEnd: null,
  };

  test("says nothing of what was not asked for", async () => {
    expect(await jobOf({ argv: ["a", "-b c"] }, NONE, {})).toEqual({
      command: ["a", "-b c"],
      workdir: "/here",
      env: {},
      resources: {},
    });
  });
  const GPUS: readonly (readonly [typed: string, sent: unknown])[] = [
    ["{ share: 8GB }", { share: "8GB" }],
    ['{"share":"8GB"}', { share: "8GB" }],
    ["{count: 2, model: [A100, h100], linked: true}", { count: 2, model: ["A100", "h100"], linked: true }],
    ["A100:2", "A100:2"],
    ["{ share: 8GB", "{ share: 8GB"],
    ["{ share: !secret 8GB }", "{ share: !secret 8GB }"],
  ];
  for (const [typed, sent] of GPUS)
    test(`asks for cards by ${typed}`, async () =>
      expect(await jobOf({ shell: "x" }, { ...NONE, gpu: typed }, {})).toMatchObject({ resources: { gpu: sent } }));

  test.each([
    [["box[1-3,07-08]", "gpu2"], "box1 box2 box3 box07 box08 gpu2"],
    [["a, b"], "a b"],
    [["n[3-1]"], "n[3-1]"],
    [["n[1-9999]"], "n[1-9999]"],
    [["n[1-", "[x]"], "n[1- [x]"],
  ])("takes hosts as Slurm lists them: %p", async (host, names) =>
    expect(await jobOf({ shell: "x" }, { ...NONE, host }, {})).toMatchObject({
      place: { hosts: names.split(" ") },
    }),
  );

  test("carries every flag under the spec's own key", async () => {
    const flags: JobFlags = {
      gpu: "24GB:2",
      cpu: "4",
      memory: "8GiB",
      time: "12h",
      nodes: 2,
      array: "0-9%2",
      pool: "big",
      host: ["box1,box2", "box3"],
      where: ["zone in (a, b)", "!old"],
      tolerate: ["team=vision,repair"],
      priority: -5,
      after: ["12", "prep,13"],
      afterAny: ["14"],
      afterFailed: ["15"],
      label: [{ key: "a", value: "b" }],
      limit: [{ key: "nofile", value: "4096" }],
      workdir: "/w",
      activate: { kind: "conda", dir: "/c" },
      login: true,
      onUnknownEnd: "retry",
    };
    expect(await jobOf({ shell: "make && ./x" }, flags, { A: "1" })).toEqual({
      run: "make && ./x",
      workdir: "/w",
      activate: { conda: "/c" },
      login: true,
      env: { A: "1" },
      resources: { cpu: "4", memory: "8GiB", gpu: "24GB:2" },
      time_limit: "12h",
      on_unknown_end: "retry",
      nodes: 2,
      array: "0-9%2",
      priority: -5,
      place: {
        pool: "big",
        hosts: ["box1", "box2", "box3"],
        labels: ["zone in (a, b)", "!old"],
        tolerate: ["team=vision", "repair"],
      },
      after: ["12", "prep", "13"],
      after_any: ["14"],
      after_failed: ["15"],
      labels: { a: "b" },
      limits: { nofile: "4096" },
    });
  });
  test("is complained about in the words of its flags", () => {
    expect(["resources.gpu", "resources.gpu.memory", "env.A", "command[0]", "stop.grace"].map(flagOf)).toEqual([
      "--gpu",
      "--gpu",
      "--env",
      "the command",
      "stop.grace",
    ]);
  });
});
