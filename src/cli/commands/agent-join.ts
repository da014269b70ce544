// `orch agent join`: makes this machine a node, and runs its agent in the foreground.

import { resolve } from "node:path";
import { removeFile } from "../../os/files/files";
import { command, text } from "../frame/command";
import { UsageError } from "../failure";
import { joinToken, TOKEN_OPTIONS } from "../start/join-token";
import { AGENT_OPTIONS, agentOptions, hasAsked, hasJoined, newEnding, tellEnd } from "../start/joining";
import { untilEnded } from "../start/serve";
import { dataDir, normalUrl } from "../cluster/settings";

export const agentJoin = command({
  operands: ["[URL]"],
  talks: false,
  serves: true,
  options: {
    ...TOKEN_OPTIONS,
    previous: text("--previous <DIR>", "its data directory of before: that key vouches for the new one"),
    data: text("--data <DIR>", "where it keeps its identity, records and logs (ORCH_DATA)"),
    ...AGENT_OPTIONS,
  },
  examples: [
    ["orch agent join https://box1:4400", "the first time: asks for the token"],
    ["orch agent join https://box1:4400 --token - < token", "the first time, from a script"],
    ["orch agent join https://box1:4400", "again: the data directory knows who it is"],
  ],
  notes:
    "A token in the command line is taken out of it at once, since everybody on the machine can read it there.\n" +
    "Where an operator has to approve the node, it waits, and says for what: orch node approve NODE.\n" +
    "URL may list several addresses of the server, with commas.\n" +
    "It stays in the foreground; stopping it stops no task, unless --drain-on-term says so.",
  async run(context, { args: [typed], flags }) {
    const { host } = context;
    const data_dir = resolve(host.cwd, dataDir(flags.data, host));
    const named = typed ?? (host.env["ORCH_URL"] || null);
    const isNew = !(await hasJoined(data_dir));
    if (named === null && isNew) {
      throw new UsageError("the server's address is missing", "orch agent join https://box1:4400 --token T");
    }
    const urls = (named ?? "")
      .split(",")
      .map((one) => normalUrl(one.trim() || null))
      .filter((one) => one !== null);
    const token = isNew ? await joinToken(context, flags, !(await hasAsked(data_dir))) : null;
    const previous = flags.previous === null ? null : resolve(host.cwd, flags.previous);
    const ending = newEnding();
    const options = agentOptions(context, flags, { urls, token, previous, data_dir, ending });
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
