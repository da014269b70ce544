// Files that are believed because of who can have written them: the directory's owner, and nobody else.

import { afterAll, describe, expect, test } from "bun:test";
import { chmodSync, chownSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readOwned } from "../../../src/os/files/private-files";

const home = mkdtempSync(join(tmpdir(), "orch-owned-"));
afterAll(() => rmSync(home, { recursive: true }));
const me = process.getuid?.() ?? 0;

function fresh(name: string): string {
  const dir = join(home, name);
  mkdirSync(dir, { mode: 0o700 });
  writeFileSync(join(dir, "secret"), "text", { mode: 0o600 });
  return dir;
}
const reading = (dir: string, uid = me): string => {
  const read = readOwned(dir, "secret", uid);
  return read.is === "there" ? read.text : `${read.is}: ${read.why}`;
};

describe("a file of a directory of one's own", () => {
  test("is read, and may be missing", () => {
    expect(reading(fresh("own"))).toBe("text");
    expect(readOwned(home, "none", me).is).toBe("absent");
    expect(readOwned(join(home, "nowhere"), "none", me).is).toBe("absent");
  });
  test("is not believed where others may write", () => {
    const [open, wide] = [fresh("open"), fresh("wide")];
    chmodSync(open, 0o777);
    chmodSync(join(wide, "secret"), 0o666);
    expect(reading(open)).toBe("unreadable: others may write to its directory");
    expect(reading(wide)).toBe("unreadable: others may write to it");
  });
  test("is not believed if it is a link, by either name, or no file at all", () => {
    const [soft, hard, pipe] = [fresh("soft"), fresh("hard"), fresh("pipe")];
    rmSync(join(soft, "secret"));
    symlinkSync("/etc/hostname", join(soft, "secret"));
    linkSync(join(hard, "secret"), join(home, "elsewhere"));
    rmSync(join(pipe, "secret"));
    Bun.spawnSync(["mkfifo", join(pipe, "secret")]);
    expect(reading(soft)).toBe("unreadable: it is a symbolic link");
    expect(reading(hard)).toContain("a hard link");
    expect(reading(pipe)).toBe("unreadable: it is no regular file");
  });
});

describe.skipIf(me !== 0)("a file of a directory of another account", () => {
  const NOBODY = 65_534;
  test("is believed by root about that account, and by no third one", () => {
    const dir = fresh("theirs");
    chownSync(join(dir, "secret"), NOBODY, NOBODY);
    chownSync(dir, NOBODY, NOBODY);
    expect(reading(dir, 0)).toBe("text");
    expect(reading(dir, NOBODY)).toBe("text");
    expect(reading(dir, 1_000)).toBe("unreadable: its directory belongs to another account (uid 65534)");
  });
  test("is not believed if it belongs to somebody else, as root's own behind a link would", () => {
    const dir = fresh("planted");
    chownSync(dir, NOBODY, NOBODY);
    expect(reading(dir, 0)).toBe("unreadable: it belongs to another account than its directory (uid 0)");
  });
});
