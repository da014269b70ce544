// What operators write on nodes and take off again, several nodes at once, and what the reader of the output does not
// change.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { Cluster } from "../support/cluster";
import { BINARY } from "../support/program";
import { waitUntil } from "../support/wait";

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start({ name: "marks", agents: ["n1", "n2"] });
});
afterAll(async () => {
  expect(await cluster.close()).toEqual([]);
});

const SHOP =
  "app: shop\nservices:\n  web:\n    run: exec sleep 1000\n    resources: { cpu: 10m, memory: 16MiB }\n" +
  "    place: { hosts: [n1] }\n";

test("a taint goes by its key, by its effect and by its value; what is not there is told", async () => {
  expect(await cluster.ok("node", "taint", "n2", "zz=1:no_execute", "zz=1:prefer_not", "b:no_schedule")).toContain(
    "zz",
  );
  for (const missing of ["nosuch-", "zz:no_schedule-", "zz=2:no_execute-", "zz=1:NoSchedule-"]) {
    const { code, out, err } = await cluster.orch("node", "taint", "n2", missing);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toStartWith(`orch: n2 has no taint ${missing.slice(0, -1)}; nothing was changed. It has: zz=1:`);
  }
  expect(await cluster.ok("node", "taint", "n2", "zz:NoExecute-")).toBe("n2: b:no_schedule zz=1:prefer_not\n");
  expect(await cluster.ok("node", "taint", "n2", "zz=1:no_execute", "zz:prefer_not-")).toBe(
    "n2: b:no_schedule zz=1:no_execute\n",
  );
  expect(await cluster.ok("node", "taint", "n2", "zz=1:no_execute-", "b-")).toBe("n2: no taints\n");
  const { code, err } = await cluster.orch("node", "label", "n2", "rack-");
  expect([code, err]).toEqual([1, "orch: n2 has no label rack; nothing was changed. It has: os arch hostname\n"]);
});

test("what stays on a tainted node is moved by the line that is told", async () => {
  await Bun.write(join(cluster.dir, "shop.yaml"), SHOP);
  await cluster.ok("apply", "-y", "--wait", "-f", join(cluster.dir, "shop.yaml"));
  const { err } = await cluster.orch("node", "taint", "n1", "maint");
  const [, line = ""] = /to move them: orch (restart \S+), or orch node drain n1\n/.exec(err) ?? [];
  expect(line).toMatch(/^restart (\S+\/)?shop\.web$/);
  await cluster.ok("node", "taint", "n1", "maint-");
  await cluster.ok(...line.split(" "));
  const one = await cluster.orch("restart", "shop.web.0");
  expect(one.code).toBe(1);
  expect(one.err).toContain("Its workload is shop.web, whose tasks change together, never one alone");
});

test("a reader that goes away leaves nothing undone", async () => {
  const file = join(cluster.dir, "shop.yaml");
  await Bun.write(file, SHOP.replace("sleep 1000", "sleep 2000"));
  const script = `{ sleep 0.3; "${BINARY}" apply -y -f "${file}"; echo "code $?" >&2; } | true`;
  const child = Bun.spawn(["sh", "-c", script], { env: cluster.env, stdout: "ignore", stderr: "pipe" });
  expect(await new Response(child.stderr).text()).toBe("code 0\n");
  expect(await cluster.ok("spec", "shop")).toContain("sleep 2000");
});

test("several nodes are forgotten at once", async () => {
  await cluster.ok("rm", "shop", "--yes");
  await waitUntil("the app to be gone", async () => (await cluster.ok("apps", "-q")) === "");
  for (const agent of cluster.agents.values()) await agent.kill();
  expect(await cluster.ok("node", "forget", "n1", "n2", "--fenced", "--yes")).toBe("n1: forgotten\nn2: forgotten\n");
});
