// `orch agent join`: makes this machine a node, and runs its agent in the foreground.

import { resolve } from "node:path";
import { removeFile } from "../../os/files/files";
import { command, text } from "../frame/command";
import { readOr } from "../cluster/contexts";
import { UsageError } from "../failure";
import { AGENT_OPTIONS, agentOptions, hasJoined, newEnding, tellEnd } from "../start/joining";
import { untilEnded } from "../start/serve";
import { dataDir, normalUrl } from "../cluster/settings";

export const agentJoin = command({
  operands: ["[URL]"],
  talks: false,
  serves: true,
  options: {
    token: text("--token <TOKEN>", "a join token: orch token new --role agent (ORCH_TOKEN)"),
    tokenFile: text("--token-file <FILE>", "a file with the token, which is removed once it has been used"),
    data: text("--data <DIR>", "where it keeps its identity, records and logs (ORCH_DATA)"),
    ...AGENT_OPTIONS,
  },
  examples: [
    ["orch agent join https://box1:4400 --token orch1-…", "the first time"],
    ["orch agent join https://box1:4400", "again: the data directory knows who it is"],
  ],
  notes:
    "URL may list several addresses of the server, with commas.\n" +
    "It stays in the foreground; stopping it stops no task, unless --drain-on-term says so.",
  async run(context, { args: [typed], flags }) {
    const { host } = context;
    const data_dir = resolve(host.cwd, dataDir(flags.data, host));
    const named = typed ?? (host.env["ORCH_URL"] || null);
    if (named === null && !(await hasJoined(data_dir))) {
      throw new UsageError("the server's address is missing", "orch agent join https://box1:4400 --token T");
    }
    const urls = (named ?? "")
      .split(",")
      .map((one) => normalUrl(one.trim() || null))
      .filter((one) => one !== null);
    const token = flags.token ?? (await tokenIn(flags.tokenFile)) ?? (host.env["ORCH_TOKEN"] || null);
    const ending = newEnding();
    const options = agentOptions(context, flags, { urls, token, data_dir, ending });
    // A node that has joined needs no token any more, so its file is removed before somebody else finds it.
    const joined = (): void => {
      if (flags.tokenFile !== null) removeFile(flags.tokenFile);
    };
    const agent = host.parts.runAgent({ ...options, joined });
    return untilEnded(context, agent, async (signal) => {
      tellEnd(ending, signal, flags);
      await agent;
    });
  },
});

/** Returns the token in the file, or null if there is no file, as after the first start. */
const tokenIn = async (file: string | null): Promise<string | null> =>
  file === null ? null : ((await readOr(file))?.trim() ?? null);
