// From argv to an exit code: finds the command, parses its arguments, runs it, and prints errors in one line.

import { makeContext } from "./context";
import { CliError, EXIT, UsageError } from "./failure";
import { LOOKS } from "./instead/looking";
import type { Host } from "./host";
import { shown } from "./instead/line";
import { parseCommand } from "./frame/parse";
import { find } from "./find";
import { TABLE } from "./table";
import { typedAt } from "./typed/typed-at";

/** Runs one command line and returns its exit code. Errors are printed, never thrown. */
export async function dispatch(argv: readonly string[], host: Host): Promise<number> {
  let isOurs = false;
  try {
    if (argv[0] === COMPLETE) return await completed(argv.slice(1), host);
    const found = find(argv) ?? (await (await import("./strangers")).find(argv, host));
    isOurs = true;
    if (found.kind === "text") {
      host.out.write(found.text);
      return EXIT.done;
    }
    const { entry, rest } = found;
    const decl = await entry.load();
    const parsed = await parseCommand(entry.name, entry.about, decl, rest, typedAt(host));
    if (parsed.kind === "help") {
      host.out.write(parsed.text);
      return EXIT.done;
    }
    if (decl.serves) host.becomeService();
    // The output of a run is what it is attached for.
    else if (!LOOKS.includes(entry.name) && !decl.passThrough) host.outliveReader();
    const context = makeContext(host, parsed.asked, [...entry.name.split(" "), ...rest]);
    return await decl.run(context, parsed.input as never);
  } catch (error) {
    const { complain, describe } = await import("./print/complain");
    const said = describe(error);
    // A line that was typed wrong has its own answer, which leaves the kinds out too.
    const { withoutKinds } = await import("./strangers");
    const meant = isOurs && !(error instanceof UsageError) ? withoutKinds(argv) : null;
    if (meant === null || said === null || !(said.exit === EXIT.failed || said.exit === EXIT.usage))
      return complain(error, host.err);
    return complain(new CliError(said.exit, said.message, `Did you mean: orch ${shown(meant)}`), host.err);
  }
}

/** The hidden command that completion scripts call. */
const COMPLETE = "__complete";

async function completed(words: readonly string[], host: Host): Promise<number> {
  const silent: Host = { ...host, err: { ...host.err, write: () => undefined } };
  const context = makeContext(silent, { url: null, token: null, data: null });
  await (await import("./commands/complete")).complete(context, TABLE, words);
  return EXIT.done;
}
