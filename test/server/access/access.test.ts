// Who may do what: every route against every role, and what belongs to another project.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ACCESS, mayCall } from "../../../src/server/access/access";
import { keyOf } from "../../../src/server/routes/route";
import { ROUTES } from "../../../src/server/routes/table";
import { type Answer, makeStage, NOW_MS, type Stage } from "../stage";

let stage: Stage;
beforeAll(async () => {
  stage = await makeStage();
});
afterAll(async () => stage.close());

const SPEC = "app: web\nservices:\n  api: { run: sleep 100 }\njobs:\n  prep: { run: 'true' }\n";
const OWN = [
  "PUT /v1/apps/{project}/{app}",
  "DELETE /v1/apps/{project}/{app}",
  "POST /v1/plan",
  "GET /v1/tasks/{ref}/logs",
  "POST /v1/workloads/{project}/{app}/{workload}/scale",
  "POST /v1/workloads/{project}/{app}/{workload}/restart",
  "POST /v1/workloads/{project}/{app}/{job}/run",
  "POST /v1/runs",
  "POST /v1/runs/{run}/cancel",
  "POST /v1/runs/{run}/retry",
  "POST /v1/runs/{run}/settle",
];
const PEOPLE: Readonly<Record<string, "admin" | "operator" | "user" | "viewer" | "agent">> = {
  admin: "admin",
  olga: "operator",
  alice: "user",
  vera: "viewer",
  agent: "agent",
};

describe("the table of access", () => {
  test("has a row for every route, and no row without one", () => {
    expect(Object.keys(ACCESS).toSorted()).toEqual(ROUTES.map(keyOf).toSorted());
  });
  test("denies what is not in it", () => {
    for (const role of ["admin", "operator", "user", "viewer", "agent"] as const) {
      expect(mayCall("GET /v1/secrets", role)).toBe(false);
      expect(mayCall("constructor", role)).toBe(false);
    }
  });
  test("holds back everything but four routes from who has no token", () => {
    const open = Object.entries(ACCESS)
      .filter(([, access]) => access.is === "open")
      .map(([key]) => key);
    expect(open).toEqual(["GET /v1/health", "GET /v1/bootstrap/cert", "GET /v1/agent"]);
  });
  test("says of each route that touches what belongs to somebody that it does", () => {
    const own = Object.entries(ACCESS)
      .filter(([, access]) => access.is === "roles" && access.scope === "own")
      .map(([key]) => key);
    expect(own.toSorted()).toEqual(OWN.toSorted());
  });
});

const addressed = (path: string): string =>
  path
    .replace("{project}", "lab")
    .replace("{app}", "web")
    .replace("{workload}", "api")
    .replaceAll(/\{\w+\}/g, "deadbeef00");

describe("every route", () => {
  for (const route of ROUTES) {
    const key = keyOf(route);
    const access = ACCESS[key];
    if (access?.is !== "roles") continue;
    test(`${key} asks for a token before it reads anything`, async () => {
      const { status, body } = await stage.call(route.method, addressed(route.path), { as: null, raw: "{ not json" });
      expect([status, body.error?.code]).toEqual([401, "unauthenticated"]);
    });
    for (const [name, role] of Object.entries(PEOPLE)) {
      const allowed = access.roles.includes(role);
      test(`${key} is ${allowed ? "open" : "closed"} to the role ${role}`, async () => {
        const { status, body } = await stage.call(route.method, addressed(route.path), { as: name, raw: "{ not json" });
        const { code, message = "" } = body.error ?? {};
        const isClosed = status === 403 && code === "forbidden" && message.includes("is not enough");
        expect(isClosed).toBe(!allowed);
        expect(status).not.toBe(500);
      });
    }
  }
});

describe("what belongs to a project", () => {
  beforeAll(async () => {
    await stage.call("PUT", "/v1/apps/lab/web", { as: "alice", body: { text: SPEC, file: "web.yaml", revision: 0 } });
    await stage.call("POST", "/v1/runs", {
      as: "alice",
      body: { name: "mine", project: null, job: { run: "true" }, wait_for_nodes: true },
    });
  });
  const cases: readonly (readonly [string, string, unknown])[] = [
    ["PUT", "/v1/apps/lab/web", { text: `project: lab\n${SPEC}`, file: "f", revision: null }],
    ["DELETE", "/v1/apps/lab/web", undefined],
    ["POST", "/v1/plan", { text: `project: lab\n${SPEC}`, file: "f", revision: null }],
    ["GET", "/v1/tasks/lab%2Fweb.api.0/logs", undefined],
    ["POST", "/v1/workloads/lab/web/api/scale", { replicas: 2 }],
    ["POST", "/v1/workloads/lab/web/api/restart", undefined],
    ["POST", "/v1/workloads/lab/web/api/run", {}],
    ["POST", "/v1/runs", { name: null, project: "lab", job: { run: "true" }, wait_for_nodes: true }],
    ["POST", "/v1/runs/2/cancel", { signal: null }],
    ["POST", "/v1/runs/2/retry", undefined],
    ["POST", "/v1/runs/2/settle", { as: "failed" }],
  ];
  test.each(cases)("%s %s is refused to a user of another one", async (method, path, body) => {
    const answer = await stage.call(method, path, { as: "bob", ...(body === undefined ? {} : { body }) });
    expect([answer.status, answer.body.error?.code]).toEqual([403, "forbidden"]);
    expect(answer.body.error?.message).toContain("project lab");
  });
  test("covers every route that asks whose a thing is", () => expect(cases.length).toBe(OWN.length));

  test("shows its states to all, and its spec to its members alone", async () => {
    for (const [name, sees] of [
      ["alice", true],
      ["olga", true],
      ["bob", false],
      ["vera", false],
    ] as const) {
      const app = await stage.call("GET", "/v1/apps/lab/web", { as: name });
      expect([app.status, app.body["text"] !== null]).toEqual([200, sees]);
      const workload = await stage.call("GET", "/v1/workloads/lab/web/api", { as: name });
      expect([workload.status, workload.body["spec"] !== null]).toEqual([200, sees]);
    }
  });
  test("names its variables to its members, and tells the values to those who ask for them", async () => {
    const text = "app: keys\njobs:\n  train: { run: date, env: { HF_TOKEN: hidden } }\n";
    const body = { text, file: "f", revision: null };
    expect((await stage.call("PUT", "/v1/apps/lab/keys", { as: "alice", body })).status).toBe(200);
    const shown = async (as: string, query = ""): Promise<Record<string, unknown>> =>
      (await stage.call("GET", `/v1/workloads/lab/keys/train${query}`, { as })).body;
    const members = await shown("alice");
    expect([members["env"], JSON.stringify(members).includes("hidden")]).toEqual([["HF_TOKEN"], false]);
    expect((await shown("alice", "?values=true"))["env_values"]).toEqual({ HF_TOKEN: "hidden" });
    const others = await shown("bob", "?values=true");
    expect([others["env"], others["env_values"], JSON.stringify(others).includes("hidden")]).toEqual([
      null,
      null,
      false,
    ]);
  });
  test("is changed by operators too", async () => {
    expect(
      (await stage.call("POST", "/v1/workloads/lab/web/api/scale", { as: "olga", body: { replicas: 3 } })).status,
    ).toBe(200);
  });
});

describe("what is not granted to users", () => {
  const wishes: readonly (readonly [string, string, string])[] = [
    ["another account", "user: root", "the account root was not granted to alice"],
    ["a low port", "ports: { http: 80 }", "port 80 is below 1024"],
    ["a place ahead of others", "priority: 5", "a priority above 0 is for operators"],
  ];
  test.each(wishes)("%s is refused", async (_what, key, message) => {
    const text = `app: greedy\nservices:\n  api:\n    run: sleep 1\n    ${key}\n`;
    const { status, body } = await stage.call("PUT", "/v1/apps/lab/greedy", {
      as: "alice",
      body: { text, file: "f", revision: null },
    });
    expect([status, body.error?.code]).toEqual([403, "forbidden"]);
    expect(body.error?.message).toContain(message);
  });
  test("one's own account and a lower priority are taken", async () => {
    const text = "app: modest\nservices:\n  api: { run: sleep 1, user: alice, priority: -5 }\n";
    expect(
      (await stage.call("PUT", "/v1/apps/lab/modest", { as: "alice", body: { text, file: "f", revision: null } }))
        .status,
    ).toBe(200);
  });
});

describe("accounts", () => {
  const user = (name: string, more: object = {}): Promise<Answer> =>
    stage.call("POST", "/v1/users", { body: { name, role: "user", unix_user: null, project: null, ...more } });
  const apply = async (as: string, account: string): Promise<Answer["body"]["error"]> => {
    const text = `app: of-${account.toLowerCase()}\nservices:\n  api: { run: sleep 1, user: ${account} }\n`;
    const body = { text, file: "f", revision: null };
    return (await stage.call("PUT", `/v1/apps/lab/of-${account.toLowerCase()}`, { as, body })).body.error;
  };
  const grant = (name: string, body: object, as = "admin"): Promise<Answer> =>
    stage.call("POST", `/v1/users/${name}/accounts`, { as, body: { grant: [], revoke: [], ...body } });

  test.each(["root", "Root", "toor", "bob", "orch", "nobody"])("%s is not an operator's to name", async (account) => {
    const error = await apply("olga", account);
    expect(error?.message).toContain(`the account ${account} was not granted to olga`);
    expect(error?.hint).toBe(
      account === "bob"
        ? "An admin may grant it: orch user grant olga bob"
        : "Accounts of the system are for tasks of admins: ask one to apply it",
    );
  });
  test("are an admin's, all of them", async () => expect(await apply("admin", "root")).toBeUndefined());
  test("are named once they were granted, and not after that was taken back", async () => {
    expect((await grant("olga", { grant: ["ml-svc"] }, "olga")).status).toBe(403);
    expect((await grant("olga", { grant: ["ml-svc"] })).body).toMatchObject({ accounts: ["ml-svc"] });
    expect(await apply("olga", "ml-svc")).toBeUndefined();
    expect((await grant("olga", { revoke: ["ml-svc"] })).body).toMatchObject({ accounts: [] });
    expect((await apply("olga", "ml-svc"))?.code).toBe("forbidden");
  });
  test.each(["root", "Root", "TOOR", "daemon", "nobody", "www-data", "_apt", "orch", "docker"])(
    "%s is granted to nobody but admins",
    async (account) => {
      expect((await grant("alice", { grant: [account] })).body.error?.message).toContain("only admins have it");
      expect((await user("sly", { unix_user: account })).body.error?.message).toContain("only admins have it");
      expect((await user("sly", { accounts: [account] })).body.error?.message).toContain("only admins have it");
    },
  );
  test("are no numbers, and no text that is no name", async () => {
    for (const account of ["0", "+0", "-u", "a b", "a:0", "", "a\nb"]) {
      expect((await grant("alice", { grant: [account] })).body.error?.message).toContain("not the name of");
    }
  });
  test("of the system are not an admin's by a token of a lesser role", async () => {
    await user("ada", { role: "admin", unix_user: "root" });
    const made = await stage.call("POST", "/v1/tokens", { body: { role: "user", user: "ada", expires_ms: null } });
    const as = made.body["token"] as string;
    const body = { text: "app: low\nservices:\n  api: { run: sleep 1 }\n", file: "f", revision: null };
    const { body: answer } = await stage.call("PUT", "/v1/apps/ada/low", { as, body });
    expect(answer.error?.message).toContain("a token of role user has no system account, and root is one");
  });
  test("of a removed user are not those of the next of that name", async () => {
    await user("dora", { accounts: ["ml-svc"] });
    const body = { text: "app: left\nservices:\n  api: { run: sleep 1 }\n", file: "f", revision: null };
    const made = await stage.call("POST", "/v1/tokens", { body: { role: "user", user: "dora", expires_ms: null } });
    const as = made.body["token"] as string;
    expect((await stage.call("PUT", "/v1/apps/dora/left", { as, body })).status).toBe(200);
    expect((await stage.call("DELETE", "/v1/users/dora")).status).toBe(200);
    const again = await user("dora");
    expect([again.status, again.body.error?.hint]).toEqual([
      409,
      "Choose another name; or, if it is the same person: orch user add dora --again",
    ]);
    expect((await user("dora", { again: true })).body).toMatchObject({ accounts: [] });
    expect((await stage.call("GET", "/v1/me", { as })).status).toBe(401);
  });
});

describe("a token", () => {
  const make = async (as: string, body: object) =>
    stage.call("POST", "/v1/tokens", { as, body: { user: null, expires_ms: null, ...body } });

  test("is not made above one's own role, nor for others", async () => {
    for (const [as, body] of [
      ["alice", { role: "admin" }],
      ["alice", { role: "operator" }],
      ["alice", { role: "agent" }],
      ["olga", { role: "admin" }],
      ["alice", { role: "user", user: "bob" }],
      ["olga", { role: "user", user: "bob" }],
    ] as const) {
      expect((await make(as, body)).body.error?.code).toBe("forbidden");
    }
  });
  test("gives no more than its owner has, also when it says so", async () => {
    const { body } = await make("admin", { role: "operator", user: "alice" });
    const me = await stage.call("GET", "/v1/me", { as: body["token"] as string });
    expect([me.body["user"], me.body["role"]]).toEqual(["alice", "user"]);
  });
  test("for machines is valid for a day and comes with the command", async () => {
    const { body } = await make("olga", { role: "agent" });
    expect(body["expires_ms"]).toBe(NOW_MS + 86_400_000);
    expect(body["join"]).toBe(`orch agent join https://box1:4400 --token ${body["token"] as string}`);
  });
  test("that has expired is refused, with what to do", async () => {
    const { body } = await make("olga", { role: "agent", expires_ms: NOW_MS + 1_000 });
    stage.clock += 2_000;
    const answer = await stage.call("POST", "/v1/join", { as: body["token"] as string, body: {} });
    stage.clock -= 2_000;
    expect(answer.status).toBe(401);
    expect(answer.body.error).toMatchObject({
      message: expect.stringContaining("has expired"),
      hint: expect.stringContaining("--role agent"),
    });
  });
  test("that is revoked is refused at once", async () => {
    const { body } = await make("alice", { role: "user" });
    const as = body["token"] as string;
    expect((await stage.call("GET", "/v1/me", { as })).status).toBe(200);
    expect((await stage.call("DELETE", `/v1/tokens/${body["id"] as string}`, { as: "bob" })).status).toBe(404);
    expect((await stage.call("DELETE", `/v1/tokens/${body["id"] as string}`, { as: "alice" })).status).toBe(200);
    expect((await stage.call("GET", "/v1/me", { as })).body.error?.message).toContain("was revoked");
  });
  test("is stored without its secret", async () => {
    const { body } = await make("admin", { role: "admin" });
    const kept = JSON.stringify([...stage.api.store.state.tokens.values()]);
    expect(kept).not.toContain((body["token"] as string).slice(6));
  });
  test("of a removed user is none", async () => {
    await stage.call("POST", "/v1/users", { body: { name: "carl", role: "user", unix_user: null, project: null } });
    const { body } = await make("admin", { role: "user", user: "carl" });
    const as = body["token"] as string;
    expect((await stage.call("GET", "/v1/me", { as })).body).toMatchObject({
      user: "carl",
      project: "carl",
      unix_user: "carl",
    });
    expect((await stage.call("DELETE", "/v1/users/carl")).status).toBe(200);
    expect((await stage.call("GET", "/v1/me", { as })).status).toBe(401);
  });
  test("that is wrong too often is answered with a pause, a right one never", async () => {
    const wrong = stage.tokens["alice"]!.replace(/.$/, (last) => (last === "0" ? "1" : "0"));
    let status = 0;
    for (let n = 0; n < 30; n++) status = (await stage.call("GET", "/v1/me", { as: wrong })).status;
    expect(status).toBe(429);
    expect((await stage.call("GET", "/v1/me", { as: "alice" })).status).toBe(200);
  });
});
