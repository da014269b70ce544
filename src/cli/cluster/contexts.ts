// The client's own settings in ~/.config/orch/: one file per cluster, and the name of the current one. Only their owner
// can read them.

import { join } from "node:path";
import { namesIn, removeFile } from "../../os/files/files";
import { closeOwnFile } from "../../os/files/own-dir";
import { readOwned, readText, writePrivate } from "../../os/files/private-files";
import { overTls } from "../../wire/dial";
import { CliError, EXIT } from "../failure";

/** Where a cluster is and who the client is there. */
export interface Cluster {
  readonly url: string;
  readonly token: string;
  /** SHA-256 of the server's public key, hex. Null in contexts of older releases; the token has it too. */
  readonly pin: string | null;
  /** The server's certificate (PEM), which is in its own client.json. */
  readonly certificate?: string | null;
}

export interface NamedCluster extends Cluster {
  readonly name: string;
}

/** Returns `$XDG_CONFIG_HOME/orch`, or `~/.config/orch`. */
export const configDir = (env: Readonly<Record<string, string | undefined>>, home: string): string =>
  join(env["XDG_CONFIG_HOME"] || join(home, ".config"), "orch");

/** Returns a context's name for an address: `box1-4400` for `https://box1:4400`. */
export const contextName = (url: string): string =>
  new URL(url).host.replace(/[^A-Za-z0-9.-]+/g, "-").replace(/^-|-$/g, "");

/**
 * Returns the contexts that can be read, the current one first. A context has a token: one that is open to others is
 * closed, and one that others could have written is refused.
 */
export async function readContexts(dir: string, uid: number | null): Promise<NamedCluster[]> {
  const current = (await readOr(join(dir, "current")))?.trim() ?? "";
  const contexts = join(dir, "contexts");
  const found: NamedCluster[] = [];
  for (const file of namesIn(contexts).toSorted()) {
    if (!file.endsWith(".json")) continue;
    const read = readOwned(contexts, file, uid);
    if (read.is === "unreadable") {
      const mend = `Look at it, then make it yours alone: chmod -R go-rwx ${dir}`;
      throw new CliError(EXIT.failed, `${join(contexts, file)} is not believed: ${read.why}`, mend);
    }
    closeOwnFile(join(contexts, file));
    const cluster = parseCluster(read.is === "there" ? read.text : null);
    if (cluster !== null) found.push({ name: file.slice(0, -".json".length), ...cluster });
  }
  return [...found.filter((one) => one.name === current), ...found.filter((one) => one.name !== current)];
}

/** Stores a context and makes it the current one. */
export async function writeContext(dir: string, cluster: NamedCluster): Promise<void> {
  await writing(dir, async () => {
    const { name, ...rest } = cluster;
    await writePrivate(join(dir, "contexts", `${name}.json`), `${JSON.stringify(rest, null, 2)}\n`);
    await writePrivate(join(dir, "current"), `${name}\n`);
  });
}

/** Makes a stored context the current one. */
export async function useContext(dir: string, name: string): Promise<void> {
  await writing(dir, () => writePrivate(join(dir, "current"), `${name}\n`));
}

/** Forgets a context and its token. */
export async function removeContext(dir: string, name: string): Promise<void> {
  await writing(dir, async () => removeFile(join(dir, "contexts", `${name}.json`)));
}

async function writing(dir: string, write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    throw new CliError(
      EXIT.failed,
      `cannot write ${dir}: ${(error as Error).message}`,
      "Set XDG_CONFIG_HOME to a directory of yours",
    );
  }
}

/** Parses a context or a server's client.json. Returns null if the text is neither. */
export function parseCluster(text: string | null): Cluster | null {
  if (text === null) return null;
  let data: Partial<Record<keyof Cluster, unknown>> | null;
  try {
    data = JSON.parse(text) as typeof data;
  } catch (error) {
    // A broken file counts as missing. The next source is asked, and without one the user is told.
    if (error instanceof SyntaxError) return null;
    throw error;
  }
  if (data === null || typeof data !== "object" || typeof data.url !== "string") return null;
  const { url, token, pin, certificate } = data;
  return {
    url: overTls(url),
    token: typeof token === "string" ? token : "",
    pin: typeof pin === "string" ? pin : null,
    certificate: typeof certificate === "string" ? certificate : null,
  };
}

/** Returns a file's text, or null if it is missing or may not be read. */
export async function readOr(path: string): Promise<string | null> {
  const read = await readText(path);
  if (read.is === "there") return read.text;
  if (read.is === "absent") return null;
  throw new CliError(EXIT.failed, `cannot read ${path}: ${read.why}`);
}
