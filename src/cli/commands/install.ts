// `orch install server|agent`: makes systemd keep them running, so that tasks stay alive over restarts and upgrades.

import { join, resolve } from "node:path";
import { findAccount } from "../../os/process/accounts";
import { ownBinary } from "../../os/self";
import { command, flag, readAs, text } from "../frame/command";
import type { Context } from "../context";
import { CliError, EXIT, UsageError } from "../failure";
import { argvOf, typedOptions } from "../install/argv";
import { dryLines, install, undoLines, type Installation, type ServiceAccount } from "../install/steps";
import { agentUnit, SERVER_USER, serverUnit } from "../install/unit";
import { joinToken, TOKEN_OPTIONS } from "../start/join-token";
import { AGENT_OPTIONS, hasJoined } from "../start/joining";
import { SERVER_OPTIONS } from "../start/serve";
import { readListen } from "../typed/readers";
import { dataDir, normalUrl } from "../cluster/settings";

const COMMON = {
  dry: flag("--dry-run", "print what would be written and done"),
};
const DATA = { data: SERVER_OPTIONS.data };
const { quiet: _quiet, data: _data, ...SERVER_FLAGS } = SERVER_OPTIONS;

const NOTES =
  "Copies this program to /usr/local/bin/orch, writes the unit and starts it. Said again, it brings\n" +
  "all of that up to date; restarting stops no task.";

export const installServer = command({
  talks: false,
  options: {
    ...typedOptions(SERVER_FLAGS),
    ...DATA,
    user: text("--user <ACCOUNT>", "the account that it runs as (orch, which is made)"),
    ...COMMON,
  },
  examples: [
    ["orch install server --listen 0.0.0.0:4400", "a server that other machines reach"],
    ["orch install server --dry-run", "only look"],
  ],
  notes: NOTES,
  async run(context, { flags }) {
    const { user, dry, data, ...typed } = flags;
    const listen = typed.listen === null ? null : readAs("--listen", String(typed.listen), readListen);
    const data_dir = serviceDir(context, data);
    const argv = ["server", "--data", data_dir, ...argvOf(SERVER_FLAGS, typed)];
    const one: Installation = {
      what: "server",
      program: requireBinary(dry),
      unit: serverUnit({
        argv,
        data_dir: join(data_dir, "server"),
        user: user === "root" ? null : (user ?? SERVER_USER),
        port: listen === null ? null : Number(listen.slice(listen.lastIndexOf(":") + 1)),
      }),
      own_dir: join(data_dir, "server"),
      account: user === null ? { is: "made", name: SERVER_USER } : await accountOf(user),
      secret: null,
    };
    return carryOut(context, one, dry, [
      "its log says how other machines join: journalctl -u orch-server",
      "first: orch nodes",
    ]);
  },
});

export const installAgent = command({
  operands: ["[URL]"],
  talks: false,
  options: {
    ...typedOptions(AGENT_OPTIONS),
    token: TOKEN_OPTIONS.token,
    tokenFile: text("--token-file <FILE>", "a file with the token"),
    ...DATA,
    user: text("--user <ACCOUNT>", "the account that it runs as (root)"),
    ...COMMON,
  },
  examples: [
    ["orch install agent https://box1:4400 --token -", "a machine that stays in the cluster"],
    ["orch install agent --drain-on-term 2m", "again, with another flag: it knows its server"],
  ],
  notes: `${NOTES}\nThe token is in no command line: it lies in a file of the agent's until it has joined.`,
  async run(context, { args: [typed], flags }) {
    const { host } = context;
    const { user, dry, data, token: asked, tokenFile, ...rest } = flags;
    const data_dir = serviceDir(context, data);
    const root = rootOf(context);
    const joined = await hasJoined(`${root}${data_dir}`);
    const url = typed ?? (host.env["ORCH_URL"] || null);
    const token = await joinToken(context, { token: asked, tokenFile }, !joined && !dry);
    if (!joined && (url === null || token === null)) {
      throw new UsageError(
        "the server's address and a join token are needed the first time",
        "On the server: orch token new --role agent prints both",
      );
    }
    const urls = (url?.split(",") ?? []).map((part) => normalUrl(part.trim()) ?? "").join(",");
    const token_file = join(data_dir, "agent", "join.token");
    const fixed = ["agent", "join", ...(urls === "" ? [] : [urls]), "--data", data_dir, "--token-file", token_file];
    const drain = AGENT_OPTIONS.drain.read(rest.drain ?? undefined);
    const one: Installation = {
      what: "agent",
      program: requireBinary(dry),
      unit: agentUnit({
        argv: [...fixed, ...argvOf(AGENT_OPTIONS, rest)],
        data_dir,
        user: user === "root" ? null : user,
        token_file,
        drain_ms: drain,
      }),
      own_dir: join(data_dir, "agent"),
      account: user === null ? { is: "root" } : await accountOf(user),
      secret: joined || token === null ? null : { path: token_file, text: token },
    };
    return carryOut(context, one, dry, ["see whether it has joined: orch nodes, journalctl -u orch-agent"]);
  },
});

/** Returns the directory that a service gets. Blanks are refused, since systemd splits some of its settings there. */
function serviceDir(context: Context, asked: string | null): string {
  // A service uses root's directories, even if another account looks at it with --dry-run.
  const dir = resolve(context.host.cwd, dataDir(asked, { ...context.host, uid: 0 }));
  if (/^[\w@+=:,./%~-]+$/.test(dir)) return dir;
  throw new UsageError(`${JSON.stringify(dir)} is no directory for a service`, "Choose one without blanks and quotes");
}

/** Returns the prefix of all paths that are written: for tests, and for images that are assembled elsewhere. */
const rootOf = ({ host }: Context): string => host.env["ORCH_INSTALL_ROOT"] ?? "";

function requireBinary(dry: boolean): string {
  const binary = ownBinary();
  if (binary !== null) return binary;
  if (dry) return "dist/orch";
  throw new CliError(EXIT.failed, "this orch runs from its source, which is not installed", "Build it: bun run build");
}

async function accountOf(user: string): Promise<ServiceAccount> {
  if (user === "root") return { is: "root" };
  const found = await findAccount(user);
  if (found.is === "there")
    return { is: "named", name: user, owner: { uid: found.account.uid, gid: found.account.gid } };
  if (found.is === "failed")
    throw new CliError(EXIT.failed, `the account ${user} could not be looked up: ${found.why}`);
  throw new UsageError(`there is no account ${user} on this machine`, `useradd --system ${user}`);
}

async function carryOut(context: Context, one: Installation, dry: boolean, next: readonly string[]): Promise<number> {
  if (dry) {
    for (const line of dryLines(one)) context.print(line);
    return EXIT.done;
  }
  await install(context, one, rootOf(context));
  for (const line of [...next, ...undoLines(one)]) context.print(line);
  return EXIT.done;
}
