// Whatever files, processes and tools bring an agent to say, the server takes: the values are made by the agent's own
// functions (probes over mad tools, the kernel's log, real processes under a real keeper), and go through its encoding
// into the real handlers. `bun run fuzz` is the long form: ORCH_FUZZ is the number of rounds.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openWatch } from "../../../src/agent/cards/watch";
import { findProbes } from "../../../src/agent/cards/probes";
import type { ProbePlaces } from "../../../src/agent/devices/device";
import { probeMachine } from "../../../src/agent/machine/probe";
import { clocksNow } from "../../../src/agent/tasks/moments";
import { claimText, FILES } from "../../../src/agent/tasks/taskdir";
import { createReports } from "../../../src/agent/loop/reports";
import { step } from "../../../src/core/agent/step";
import type { Assignment, Reported, TaskRecord } from "../../../src/core/model/record";
import type { TaskRow } from "../../../src/core/model/rows-task";
import { bootMs } from "../../../src/os/clock";
import { randomHex } from "../../../src/os/dice";
import { bootId } from "../../../src/os/proc";
import { toServer, type Machine, type ToServer } from "../../../src/wire/agent";
import { messageText } from "../../../src/wire/fit";
import { AmdMachine, mixed } from "../../support/devices/amd";
import { IntelMachine, mixedIntel } from "../../support/devices/intel";
import { SMI_CARDS, SmiMachine, matrix, smiRow, smiUuid } from "../../support/devices/nvidia-smi";
import { MAD, madRow, madText } from "../../support/mad";
import { diceOf, type Dice } from "../../support/random";
import { reportOf } from "../../support/reports";
import { assignmentFor, begin, makeSite, recordFor, type OpenTasks, type Site } from "../../support/tasks";
import { waitUntil } from "../../support/wait";
import { joinWithKey, Recorder } from "../recorder";
import { machineOf, makeStage, type Stage } from "../stage";

const ROUNDS = Number(process.env["ORCH_FUZZ"] ?? "4");
const LIMITS = { first_ms: 30_000, later_ms: 30_000 };

/**
 * Says these messages to a server as an agent, and proves that each is read, the session stays, and people are
 * answered. Returns how many of the messages would not have been taken as they are, without the agent's encoding.
 */
async function taken(make: (stage: Stage, task: TaskRow) => readonly ToServer[]): Promise<number> {
  const stage = await makeStage();
  let beyond = 0;
  try {
    const agent = Recorder.dial(stage, await joinWithKey(stage, "n1"));
    await agent.live("a");
    await agent.pass();
    const body = { name: "once", project: null, job: { run: "true" }, wait_for_nodes: false };
    expect((await stage.call("POST", "/v1/runs", { as: "alice", body })).status).toBe(200);
    await stage.planned();
    const task = stage.api.store.state.tasks.values().toArray().at(-1) as TaskRow;
    for (const message of make(stage, task)) {
      const text = messageText(toServer, message);
      if (!toServer.safeParse(JSON.parse(JSON.stringify(message))).success) beyond++;
      agent.say(text);
      await stage.planned();
      if (agent.closed !== null) throw new Error(`closed (${agent.closed.reason}) for ${text.slice(0, 2_000)}`);
    }
    agent.say({ type: "heartbeat", sent_ms: 5, applied_n: 0, applied_revision: 0, reported_seq: 0, skew_ms: 0 });
    const heard = await agent.rest();
    expect(heard.filter(({ type }) => type === "unread")).toEqual([]);
    expect(heard.some(({ type }) => type === "beat")).toBe(true);
    for (const path of ["/v1/nodes", "/v1/tasks", "/v1/events", "/v1/devices", "/v1/nodes/n1"]) {
      expect([path, (await stage.call("GET", path, { as: "alice" })).status]).toEqual([path, 200]);
    }
    expect(stage.said.filter((line) => /^bug|agent session/.test(line))).toEqual([]);
    return beyond;
  } finally {
    await stage.close();
  }
}

const KERNEL = [
  "NVRM: Xid (PCI:0000:17:00): 79, pid=18446744073709551616, name=\u001b[2J) (x, GPU has fallen off the bus.",
  `NVRM: Xid (PCI:0000:2a:00): 99999999999999999999, pid=-1, name=${"x".repeat(9_000)}`,
  "NVRM: Xid (PCI:0000:65:00): 48, pid='<unknown>', name=<unknown>, Ch 00000008",
  "amdgpu 0000:29:00.0: amdgpu: GPU reset begin!",
  `amdgpu 0000:29:00.0: amdgpu: ring ${"é".repeat(6_000)} timeout`,
  "[drm] GPU HANG: ecode 12:1:85def5fb, in \u202e\u001b[31m [99999999999999999999]",
  "xe 0000:29:00.0: [drm] Timedout job",
];

describe("cards", () => {
  let nvidia: SmiMachine;
  let amd: AmdMachine;
  let intel: IntelMachine;
  let odd: Bun.Subprocess;
  const dir = mkdtempSync(join(tmpdir(), "orch-makers-"));
  beforeAll(async () => {
    [nvidia, amd, intel] = await Promise.all([SmiMachine.make(), AmdMachine.make(), IntelMachine.make()]);
    odd = Bun.spawn(["sh", "-c", "printf '\\033[2J) R 1 (\\n' > /proc/$$/comm; read x"], { stdin: "pipe" });
  });
  afterAll(async () => {
    odd.kill();
    await Promise.all([nvidia.site.close(), amd.close(), intel.close()]);
    rmSync(dir, { recursive: true });
  });

  function madNvidia(dice: Dice): ProbePlaces {
    nvidia.heal();
    const models = Object.keys(SMI_CARDS) as (keyof typeof SMI_CARDS)[];
    const share = dice.pick([0.05, 0.3, 0.9]);
    const rows = ["17", "2A", "65", "CA"].map((bus, n) => {
      const row = smiRow(n, bus, dice.pick(models));
      return { ...row, ...madRow(dice, row, share), "pci.bus_id": row["pci.bus_id"] ?? "" };
    });
    nvidia.cards(rows);
    const pids = [String(odd.pid), "1", ...MAD];
    const app = (): string => `${smiUuid(dice.below(4))}, ${dice.pick(pids)}, ${dice.pick(["20476", ...MAD])}`;
    nvidia.write("apps", Array.from({ length: dice.below(200) }, app).join("\n"));
    const cells = Array.from({ length: 4 }, () => Array.from({ length: 4 }, () => dice.pick(["NV4", "SYS", ...MAD])));
    nvidia.write("topo", madText(dice, matrix(["GPU0", "GPU1", "GPU2", "GPU3"], cells)));
    nvidia.write(
      "list",
      madText(dice, `GPU 0: NVIDIA A100 (UUID: ${smiUuid(0)})\n  MIG 1g.5gb Device 0: (UUID: MIG-1)`),
    );
    nvidia.write("xml", madText(dice, "<nvidia_smi_log><gpu><uuid>GPU-1</uuid><mig_devices></mig_devices></gpu>"));
    if (dice.chance(0.1)) nvidia.write("garble", "");
    if (dice.chance(0.1)) nvidia.write("failed", dice.pick(MAD));
    if (dice.chance(0.1))
      nvidia.write("lost", "Unable to determine the device handle for GPU0000:17:00.0: \u001b[2J lost");
    return nvidia.site.places({ nvidia_smi: nvidia.path });
  }

  /** Makes the files of drivers in /sys mad. */
  function madDrivers(dice: Dice): readonly ProbePlaces[] {
    mixed(amd);
    mixedIntel(intel);
    const names = ["mem_info_vram_total", "mem_info_vram_used", "gpu_busy_percent", "unique_id", "product_name"];
    const tiles = ["tile0/physical_vram_size_bytes", "tile0/gt0/freq0/act_freq", "hwmon/hwmon5/temp2_input"];
    for (const [site, buses, files] of [
      [amd.site, ["29", "2c", "03", "83"], [...names, "hwmon/hwmon4/temp1_input", "hwmon/hwmon4/power1_average"]],
      [intel.site, ["29", "0a"], tiles],
    ] as const) {
      for (const bus of buses) {
        for (const file of files) {
          if (dice.chance(0.5)) site.put({ [`sys/bus/pci/devices/0000:${bus}:00.0/${file}`]: dice.pick(MAD) });
        }
      }
    }
    const amdSmi = amd.site.tool(
      "amd-smi",
      `cat <<'END'\n${madText(dice, '[{"gpu":0,"asic":{"market_name":"MI210"},"bus":{"bdf":"0000:29:00.0"}}]')}\nEND`,
    );
    const listed = { device_id: 0, device_name: "Max 1100", pci_bdf_address: "0000:29:00.0" };
    const xpuSmi = intel.site.tool(
      "xpu-smi",
      `cat <<'END'\n${madText(dice, JSON.stringify({ device_list: [listed] }))}\nEND`,
    );
    return [amd.site.places({ amd_smi: amdSmi }), intel.site.places({ xpu_smi: xpuSmi })];
  }

  /** Looks with the agent's own watch, and returns what the agent would send. */
  async function shown(dice: Dice, n: number): Promise<readonly ToServer[]> {
    const log_path = join(dir, `kmsg.${n}`);
    writeFileSync(log_path, "");
    const places = [madNvidia(dice), ...madDrivers(dice)];
    const found = places.flatMap((one) => findProbes(one, LIMITS));
    const probes = [...new Map(found.map((probe) => [probe.vendor, probe])).values()];
    const watch = openWatch({
      data: mkdtempSync(join(dir, "agent-")),
      clock: bootMs,
      fakes: [],
      only: [],
      homes: [],
      find: () => probes,
      log_path,
      user: dice.pick(MAD),
      say: () => undefined,
    });
    try {
      watch.gate(() => []);
      await watch.ready(30_000);
      const lines = Array.from({ length: 8 }, () =>
        dice.chance(0.5) ? dice.pick(KERNEL) : madText(dice, dice.pick(KERNEL)),
      );
      appendFileSync(log_path, `${lines.join("\n")}\n`);
      watch.blames();
      const machine: Machine = { ...machineOf("n1"), devices: [...watch.devices()] };
      return [
        { type: "facts", machine },
        { type: "readings", readings: [...watch.readings()] },
        { type: "findings", findings: [...watch.notices()] },
      ];
    } finally {
      watch.close();
    }
  }

  test("of mad tools and drivers, with a mad kernel log and processes of odd names", async () => {
    let [devices, findings] = [0, 0];
    for (let n = 0; n < ROUNDS; n++) {
      const said = await shown(diceOf(5_000 + n), n);
      for (const one of said) {
        if (one.type === "facts") devices += one.machine.devices.length;
        if (one.type === "findings") findings += one.findings.length;
      }
      await taken(() => said);
    }
    expect([devices > 0, findings > 0]).toEqual([true, true]);
    if (process.env["ORCH_FUZZ"] !== undefined)
      console.log(`${ROUNDS} mad machines: ${devices} cards, ${findings} findings`);
  }, 3_600_000);
});

test("the facts of a machine with a mad share, labels, taints and hardware", async () => {
  const dir = mkdtempSync(join(tmpdir(), "orch-makers-"));
  let beyond = 0;
  const odd = [-1, 0.5, 2 ** 53, 2 ** 64, 1e300, Infinity];
  try {
    for (let n = 0; n < ROUNDS * 4; n++) {
      const dice = diceOf(7_000 + n);
      const number = (): number => dice.pick(odd);
      const hardware = { boot_id: bootId(), cpu_model: dice.pick(MAD), board: dice.pick(MAD) };
      writeFileSync(join(dir, "hardware.json"), JSON.stringify(hardware));
      const { machine } = await probeMachine({
        data: dir,
        version: dice.pick(MAD),
        cgroups: { is: "none", detail: dice.pick(MAD) } as Parameters<typeof probeMachine>[0]["cgroups"],
        accounts: "existing",
        pool: dice.pick(MAD),
        labels: Object.fromEntries(MAD.map((key) => [key, dice.pick(MAD)])),
        taints: MAD.map((key) => ({ key, value: dice.pick(MAD) })) as unknown as Machine["taints"],
        share: { cpu_milli: number(), memory_bytes: number(), disk_bytes: number(), countables: { x: number() } },
        share_names: ["n1"],
        joined_as: null,
      });
      beyond += await taken(() => [{ type: "facts", machine: { ...machine, devices: [] } }]);
    }
    expect(beyond).toBeGreaterThan(0);
  } finally {
    rmSync(dir, { recursive: true });
  }
}, 3_600_000);

const LONG = "x".repeat(6_000);
/** Exits as a claim may hold them that its task, or another program, has written to. */
const LIES: readonly string[] = [
  '{"exit_code":1e308,"started_ms":-1e300,"ended_ms":1e300,"left":-5}',
  `{"exit_code":3,"started_ms":1,"ended_ms":2,"signal":"${LONG}","reason":"${LONG}","cause":"start_failed"}`,
  '{"exit_code":0.5,"started_ms":9e15,"ended_ms":1,"peak_memory_bytes":1e300,"oom":true}',
  '{"exit_code":-1,"started_ms":1,"ended_ms":2,"signal":"\\u001b[2J","reason":"\\ud800\\u0000","left":1e300}',
  '{"exit_code":1e400,"started_ms":1,"ended_ms":1e400}',
];

/** Tasks that cannot start or that end oddly. */
const TASKS: Readonly<Record<string, () => Assignment>> = {
  "long command": () => assignmentFor([`/nowhere/${LONG}`]),
  "command of controls": () => assignmentFor(["/no\u001b[2J\u202e) (\n\r"]),
  "empty command": () => assignmentFor([""]),
  "command with a NUL": () => assignmentFor(["/no\0where"]),
  "half a character": () => assignmentFor(["/no\ud800"]),
  "huge argument": () => assignmentFor(["echo", "z".repeat(200_000)]),
  "huge argv": () => assignmentFor(["echo", ...Array.from({ length: 40_000 }, () => "z".repeat(100))]),
  "long shell": () => assignmentFor("true", { command: { kind: "shell", shell: `/nowhere/${LONG}`, script: "true" } }),
  "long workdir": () => assignmentFor("true", { workdir: `/${"w".repeat(4_000)}` }),
  "workdir of controls": () => assignmentFor("true", { workdir: "/no\u001b[2J\n" }),
  "device as workdir": () => assignmentFor("true", { workdir: "/dev/zero" }),
  "long account": () => assignmentFor("true", { unix_user: "u".repeat(5_000) }),
  "account of controls": () => assignmentFor("true", { unix_user: "\u001b[2J:0" }),
  "long command of another account": () => assignmentFor([`/nowhere/${LONG}`], { unix_user: "nobody" }),
  "controls for another account": () => assignmentFor(["/no\u001b[2J\n(x"], { unix_user: "nobody", workdir: "/tmp" }),
  "workdir of another account": () => assignmentFor("true", { unix_user: "nobody", workdir: `/${"v/".repeat(2_000)}` }),
  "environment of halves": () =>
    assignmentFor("echo $A; exit 3", { env: { A: "a\ud800b", "B=C\n": "x", LD_PRELOAD: "/no" } }),
  "environment with a NUL": () => assignmentFor("exit 3", { env: { A: "a\0b" } }),
  "large environment": () =>
    assignmentFor("exit 3", { env: Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`A${n}`, LONG])) }),
  "broken output": () => assignmentFor("head -c 9001 /dev/urandom; head -c 4097 /dev/urandom >&2; exit 3"),
  "halved output": () => assignmentFor("yes é | head -c 8191; printf '\\303'; printf '\\000\\033c' >&2; exit 3"),
  signal: () => assignmentFor("kill -SEGV $$"),
  "odd code": () => assignmentFor("exit 255"),
};

describe("tasks", () => {
  let site: Site;
  let tasks: OpenTasks;
  beforeAll(async () => {
    site = await makeSite();
    tasks = await site.open();
  });
  afterAll(async () => expect(await site.close()).toEqual([]));

  /** Begins a task as the agent does, waits until it is over, and returns what the agent reports before and after. */
  async function reports(
    assignment: Assignment,
    start: (one: Assignment) => Promise<unknown> = (one) => begin(tasks, one),
  ): Promise<readonly Reported[]> {
    const record = recordFor(assignment);
    const { uid } = assignment;
    const blocked = new Map<string, { readonly why: string; readonly since_ms: number; readonly at: "start" }>();
    await start(assignment).catch((error: unknown) => {
      blocked.set(uid, { why: error instanceof Error ? error.message : String(error), since_ms: 0, at: "start" });
    });
    const over = (): boolean => /ended|vanished/.test(tasks.driver.seen().get(uid)?.process.is ?? "");
    if (blocked.size === 0) await waitUntil(`${assignment.name} to be over`, over, 30_000);
    const view = {
      records: new Map([[uid, record]]),
      seen: tasks.driver.seen(),
      busy: new Set<string>(),
      signalled: new Map(),
      reserved: new Set<string>(),
      boot_id: bootId(),
      now_ms: bootMs(),
      begun_ms: 0,
      capacity: { cpu_milli: 1e6, memory_bytes: 1e15, disk_bytes: 1e15, countables: {} },
      devices: [],
      unreadable: [],
      blocked,
      fetching: new Map<string, string>(),
      blames: new Map(),
      heard_ms: null,
    };
    const end = step(view).actions.find((action) => action.do === "end");
    const ended: TaskRecord[] = end?.do === "end" ? [{ ...record, end: end.end }] : [];
    return [record, ...ended].map((one) => {
      const records = new Map([[uid, one]]);
      const situation = { ...view, records, lacking: new Map<string, string>(), blocked };
      return createReports(records, tasks.store, tasks.driver).of(one, situation).reported;
    });
  }

  /** Puts a claim with this exit in the place of a task, as if its keeper had written it and were gone. */
  async function lies(exit: string, assignment: Assignment): Promise<void> {
    const { uid } = assignment;
    await tasks.store.write(recordFor(assignment));
    const dir = join(site.data, "tasks", uid);
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, FILES.claim), `${claimText(clocksNow(), [])}exit ${exit}\n`);
    tasks.driver.look(uid);
  }

  test("whose claim holds a lie", async () => {
    let beyond = 0;
    for (const exit of LIES) {
      const told = await reports(assignmentFor("true"), (one) => lies(exit, one));
      expect(told.length).toBe(2);
      beyond += await taken((_, task) =>
        told.map((reported, n) => ({ type: "report", seq: n + 1, entries: [reportOf(task, reported)] })),
      );
    }
    expect(beyond).toBeGreaterThan(0);
  }, 60_000);

  test("that cannot start or end oddly", async () => {
    const all = await Promise.all(
      Object.entries(TASKS).map(
        async ([what, make]) => [what, await reports({ ...make(), uid: randomHex(16) })] as const,
      ),
    );
    for (const [what, told] of all) {
      expect([what, told.length > 0]).toEqual([what, true]);
      await taken((_, task) =>
        told.map((reported, n) => ({ type: "report", seq: n + 1, entries: [reportOf(task, reported)] })),
      );
    }
    const reasons = all.flatMap(([, told]) =>
      told.flatMap((one) => ("reason" in one && one.reason !== null ? [one.reason] : [])),
    );
    expect(reasons.filter((reason) => /could not start/.test(reason)).length).toBeGreaterThan(8);
  }, 3_600_000);
});
