// What is piped into `orch run`, through the compiled binary: every attempt gets the same bytes, whatever dies
// meanwhile, and nothing ever begins without them.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Cluster } from "../support/cluster";
import { BINARY } from "../support/program";
import { waitUntil } from "../support/wait";

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start({ name: "stdin", agents: ["n1"] });
}, 60_000);
afterAll(async () => expect(await cluster.close()).toEqual([]));

const MB = 1_000_000;
function content(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let n = 0; n < length; n++) bytes[n] = n * 31 + (n >> 9);
  return bytes;
}
const hashOf = (bytes: Uint8Array): string => new Bun.CryptoHasher("sha256").update(bytes).digest("hex");

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a shell script that pipes something into the binary, which it calls `orch`. */
async function sh(script: string): Promise<Ran> {
  const child = Bun.spawn(["sh", "-c", `orch() { "${BINARY}" "$@"; }; ${script}`], {
    cwd: cluster.dir,
    env: cluster.env,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, out, err };
}

const SMALL = "--cpu 10m --memory 32MiB";

test("a script is run, and a large input arrives byte by byte", async () => {
  writeFileSync(join(cluster.dir, "script.sh"), "echo from $0; exit 3\n");
  expect(await sh(`orch run ${SMALL} -- sh -s < script.sh`)).toMatchObject({ code: 3, out: "from sh\n" });
  const large = content(5 * MB);
  writeFileSync(join(cluster.dir, "large"), large);
  expect((await sh(`orch run ${SMALL} -- sha256sum < large`)).out).toBe(`${hashOf(large)}  -\n`);
  const detached = await sh(`cat large | orch run -d ${SMALL} -- sha256sum`);
  expect(detached.err).toContain("4.8MiB of standard input");
  const shown = await sh(`orch show ${detached.out.trim()}`);
  expect(shown.out).toMatch(new RegExp(`stdin: +4.8MiB \\(sha256 ${hashOf(large).slice(0, 12)}\\)`));
});

test("what gives nothing is nothing, and what is too much starts nothing", async () => {
  for (const empty of ["< /dev/null", "<&-", "-n < large"]) {
    const [flags, from] = empty.startsWith("-n") ? ["-n", "< large"] : ["", empty];
    expect(await sh(`orch run ${flags} ${SMALL} -- wc -c ${from}`), empty).toMatchObject({ code: 0, out: "0\n" });
  }
  expect((await sh(`: | orch run ${SMALL} -- wc -c`)).out).toBe("0\n");
  const before = (await sh("orch runs --json")).out;
  const refused = await sh(`head -c 67108865 /dev/zero | orch run ${SMALL} -- wc -c`);
  expect([refused.code, refused.err]).toEqual([2, expect.stringContaining("larger than 64MiB")]);
  expect((await sh("orch runs --json")).out).toBe(before);
  expect(await sh(`orch run -i ${SMALL} -- cat`)).toMatchObject({
    code: 2,
    err: expect.stringContaining("not built yet"),
  });
});

test("a pipe that stays open says what is waited for", async () => {
  const child = Bun.spawn([BINARY, "run", "--", "cat"], {
    cwd: cluster.dir,
    env: cluster.env,
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  let err = "";
  void (async () => {
    for await (const part of child.stderr) err += new TextDecoder().decode(part);
  })();
  await waitUntil("the notice", () => err.includes("reading standard input to its end"));
  await child.stdin.write("late\n");
  await child.stdin.end();
  expect([await new Response(child.stdout).text(), await child.exited]).toEqual(["late\n", 0]);
});

test("each attempt reads the same input, also after the death of its machine", async () => {
  const large = content(3 * MB);
  writeFileSync(join(cluster.dir, "again"), large);
  const began = join(cluster.dir, "began");
  const script = `sha256sum >> "${began}"; [ $(wc -l < "${began}") -ge 2 ] || exec sleep 1000`;
  const args = `-d ${SMALL} --on-unknown-end retry --name again`;
  const run = Number((await sh(`orch run ${args} -c '${script}' < again`)).out.trim());
  const lines = async (): Promise<string[]> =>
    existsSync(began) ? (await Bun.file(began).text()).split("\n").filter((line) => line !== "") : [];
  await waitUntil("the first attempt to have read it", async () => (await lines()).length === 1);
  await cluster.killMachine("n1");
  await cluster.startAgent("n1");
  const detail = await waitUntil(
    "the run to be over",
    async () => {
      const shown = await cluster.client().runInfo(run);
      return shown.finished_ms === null ? null : shown;
    },
    60_000,
  );
  expect(detail.state).toBe("succeeded");
  expect(await lines()).toEqual([`${hashOf(large)}  -`, `${hashOf(large)}  -`]);
}, 90_000);

/** Returns the parts of inputs that are on their way to the node. */
const partsOnNode = (): string[] => {
  const tasks = join(cluster.dataOf("n1"), "agent", "tasks");
  return readdirSync(tasks).filter((uid) => existsSync(join(tasks, uid, "stdin.part")));
};

test("a server that is killed while the node fetches is asked again", async () => {
  const large = content(60 * MB);
  writeFileSync(join(cluster.dir, "huge"), large);
  const run = (await sh(`orch run -d ${SMALL} --name huge -- sha256sum < huge`)).out.trim();
  await waitUntil("the node to fetch", () => partsOnNode().length > 0);
  await cluster.server?.kill();
  const onDisk = partsOnNode().length;
  await cluster.startServer();
  const followed = await sh(`orch logs -f ${run}`);
  expect([onDisk, followed.out]).toEqual([1, `${hashOf(large)}  -\n`]);
}, 90_000);

test("a run whose input is gone is cancelled and says why, and never begins", async () => {
  const began = join(cluster.dir, "never");
  const first = (await sh(`orch run -d ${SMALL} --name first -- sleep 1000`)).out.trim();
  const run = (
    await sh(`echo precious | orch run -d --cpu 4 --memory 32MiB --name gone -c 'touch "${began}"; cat'`)
  ).out.trim();
  await waitUntil("it to wait for room", async () => (await cluster.client().runInfo(run)).position !== null);
  const inputs = join(cluster.data, "server", "inputs");
  for (const name of readdirSync(inputs)) rmSync(join(inputs, name));
  await sh(`orch cancel ${first}`);
  const detail = await waitUntil("it to be over", async () => {
    const shown = await cluster.client().runInfo(run);
    return shown.finished_ms === null ? null : shown;
  });
  expect(detail).toMatchObject({
    state: "cancelled",
    reason: "its standard input is not on the server any more: run it again",
  });
  expect(existsSync(began)).toBe(false);
}, 60_000);
