// A rogue agent: it joins with a token like any machine, proves its own key, and then lies. It shows that a node's word
// changes nothing for other nodes, for the planner, or for who speaks for a node.
//
//   bun test/adversary/rogue-agent.ts --url URL --token TOKEN --lie LIE [--name NAME] [--uid UID]... [--device ID]
//       [--fingerprint F] [--stay MS]
//
// LIE: `epoch`, `revision` (a server that was further), `report` and `inventory` (tasks of other nodes ended: their
// UIDs), `orphan` (records with the UIDs of others), `device` (the card ID of another machine), `identity` (its
// credential with the node id UID in it), `numbers` (ages, counts and revisions without sense), `flood` (findings
// without end), `take` (joins as NAME with the fingerprint F of that node). Everything that the server answers is
// printed, one JSON line a message.

import { PLAIN_DEVICE } from "../../src/core/model/device";
import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { parseArgs } from "node:util";
import { PROTOCOL, signedText, toAgent, type Machine, type ToAgent, type ToServer } from "../../src/wire/agent";
import { connect } from "../../src/wire/client";
import { joinText } from "../../src/wire/join";
import { fetchCertificate } from "../../src/wire/pinned";
import { parseToken } from "../../src/wire/token";
import { failedWithoutRecord } from "./lies";

const { values } = parseArgs({
  options: {
    url: { type: "string" },
    token: { type: "string" },
    lie: { type: "string" },
    name: { type: "string", default: "rogue" },
    uid: { type: "string", multiple: true, default: [] },
    device: { type: "string", multiple: true, default: [] },
    fingerprint: { type: "string" },
    stay: { type: "string", default: "3000" },
  },
});

const { url = "", token = "", lie = "", name, uid, device, fingerprint } = values;
const told = (what: Record<string, unknown>): void => console.log(JSON.stringify(what));
const trust = parseToken(token);
if (trust === null) throw new Error("--token is no token");
const HUGE = Number.MAX_SAFE_INTEGER;
/** The largest amount that the wire takes of a machine. More is refused before it could do harm. */
const MOST = 2 ** 50;

const machine: Machine = {
  fingerprint: fingerprint ?? `rogue-${name}`,
  boot_id: randomBytes(8).toString("hex"),
  agent_version: "rogue",
  pool: "default",
  labels: { hostname: "\u001b[31mrogue" },
  taints: [],
  capacity: { cpu_milli: MOST, memory_bytes: MOST, disk_bytes: MOST, countables: {} },
  devices: [],
  facts: {
    os: "linux",
    arch: "x64",
    hostname: "rogue",
    kernel: "0",
    cpu_model: "none",
    memory_bytes: MOST,
    address: "10.0.0.1",
    cgroups: "none",
    cgroups_detail: null,
    limits: null,
    accounts: "existing",
    unix_user: "root",
  },
};

const { publicKey, privateKey } = generateKeyPairSync("ed25519");
const public_key = publicKey.export({ type: "spki", format: "der" }).toString("base64");
const signed = (text: string): string => sign(null, Buffer.from(text), privateKey).toString("base64");
const ca = await fetchCertificate(url, trust.pin);
const joined = await connect({ url, token, ca })
  .join({
    protocol: PROTOCOL,
    name,
    public_key,
    signature: signed(joinText(trust.pin, trust.id, public_key, machine.fingerprint)),
    machine,
  })
  .catch((error: Error) => ({ is: "refused" as const, why: error.message }));
told({ joined });
if (joined.is !== "joined") process.exit(0);

const tls = { tls: { ca, rejectUnauthorized: true, serverName: "orch-server" } };
const socket = new WebSocket(`${url.replace(/^http/, "ws")}/v1/agent`, tls as unknown as string[]);
const say = (message: ToServer): void => socket.send(JSON.stringify(message));
socket.onclose = ({ code, reason }) => {
  told({ closed: code, reason });
  process.exit(0);
};
socket.onmessage = ({ data }) => {
  const heard = toAgent.parse(JSON.parse(String(data)));
  told({ heard });
  hear(heard);
};
AbortSignal.timeout(Number(values.stay)).addEventListener("abort", () => socket.close());

const others = uid.map((one) => failedWithoutRecord(one));

function hear(message: ToAgent): void {
  if (message.type === "challenge") greet(message);
  else if (message.type === "welcome") lieOn();
}

function greet({ nonce, stamp }: Extract<ToAgent, { type: "challenge" }>): void {
  if (joined.is !== "joined") return;
  const credential = lie === "identity" ? { ...joined.credential, node_id: uid[0] ?? "" } : joined.credential;
  const { timeline, epoch, revision, signature } = stamp;
  const further = lie === "epoch" ? { epoch: epoch + 1_000_000, revision } : { epoch, revision: revision + 1_000_000 };
  const instance_id = randomBytes(16).toString("hex");
  const isFurther = lie === "epoch" || lie === "revision";
  const claims = device.map((id) => ({ ...CARD, id }));
  say({
    type: "hello",
    protocol: PROTOCOL,
    credential,
    instance_id,
    signature: signed(signedText(nonce, credential.node_id, instance_id, machine.boot_id, trust?.pin ?? "")),
    machine: { ...machine, devices: claims },
    highest: isFurther ? { timeline, ...further, signature } : null,
    applied: lie === "numbers" ? { timeline, revision: HUGE, since: 0 } : null,
  });
  const unreadable = lie === "orphan" ? uid.map((one) => ({ uid: one, name: "web.api.0", pid: 1, held: null })) : [];
  say({ type: "inventory", entries: lie === "inventory" ? others : [], unreadable, last: true });
}

function lieOn(): void {
  if (lie === "report") say({ type: "report", seq: 1, entries: others });
  if (lie === "numbers") {
    say({
      type: "heartbeat",
      sent_ms: HUGE,
      applied_n: HUGE,
      applied_revision: HUGE,
      reported_seq: HUGE,
      skew_ms: null,
    });
    say({ type: "report", seq: HUGE, entries: others });
    say({ type: "farewell" });
  }
  for (let n = 0; lie === "flood" && n < 300; n++) {
    const findings = Array.from({ length: 50 }, (_, at) => ({
      n: n * 50 + at,
      object: "GPU-0",
      key: "xid",
      class: "watch" as const,
      text: "x".repeat(500),
    }));
    say({ type: "findings", findings });
  }
}

const CARD = { ...PLAIN_DEVICE, vendor: "nvidia", model: "A100", memory_bytes: 1 } as const;
