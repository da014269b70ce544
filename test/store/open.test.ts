// What keeps a store from opening: each with its words, and with every byte left as it was.

import { Database } from "bun:sqlite";
import { afterAll, describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { networkKind } from "../../src/os/files/filesystem";
import { waitUntil } from "../support/wait";
import { opened, port, refused, rejection, removeScratch, scratch, sumOf, tryOpen } from "./scratch";

afterAll(removeScratch);

const FILES = ["orch.db", "orch.db-wal", "highest.json"];
const sums = (dir: string): (string | null)[] => FILES.map((name) => sumOf(join(dir, name)));

/** Opens, and holds that a refusal changed nothing. */
function refusal(dir: string, part: object = {}): { code: string; message: string; hint: string } {
  const before = sums(dir);
  const result = refused(tryOpen(dir, part));
  expect(sums(dir)).toEqual(before);
  return result;
}

async function filled(dir: string, count: number): Promise<void> {
  const store = opened(dir);
  for (let i = 0; i < count; i++) await store.commit("alice", (draft) => draft.put([port(`p${i}`)]));
  store.close();
}

describe("a directory", () => {
  test("is made private, also when it was open before, and that is said", () => {
    const dir = join(scratch(), "deep", "server");
    mkdirSync(dir, { recursive: true, mode: 0o755 });
    writeFileSync(join(dir, "server.key"), "secret", { mode: 0o644 });
    const result = tryOpen(dir);
    expect(result.ok && result.notices.length).toBe(2);
    expect(result.ok && result.notices.join()).toContain("server.key");
    if (result.ok) result.store.close();
    const modes = ["", "server.key", "orch.db", "lock", "lock.json", "highest.json", "ballast"].map((name) =>
      (statSync(join(dir, name)).mode & 0o777).toString(8),
    );
    expect(modes).toEqual(["700", ...Array<string>(6).fill("600")]);
    const again = tryOpen(dir);
    expect(again.ok && again.notices).toEqual([]);
    if (again.ok) again.store.close();
  });

  test("that cannot be made is refused, naming it", () => {
    const dir = scratch();
    writeFileSync(join(dir, "file"), "");
    const { code, message, hint } = refused(tryOpen(join(dir, "file", "server")));
    expect([code, hint.includes("--data DIR")]).toEqual(["not_writable", true]);
    expect(message).toContain("file");
  });

  test("on a network file system is told by the kernel's number, and behind FUSE by the mount", () => {
    const mounts = [
      "22 27 0:21 / / rw,relatime - ext4 /dev/vda rw",
      "30 22 0:40 / /home/a\\040b rw - fuse.sshfs alice@box: rw",
      "31 22 0:41 / /mnt/pool rw - fuse.mergerfs a:b rw",
      "32 30 0:42 / /home/a\\040b/local rw - ext4 /dev/vdb rw",
    ].join("\n");
    const fuse = 0x65735546;
    expect(networkKind(0x6969, mounts, "/x")).toBe("nfs");
    expect(networkKind(0xff534d42 | 0, mounts, "/x")).toBe("cifs");
    expect(networkKind(0xef53, mounts, "/home/a b/data")).toBeNull();
    expect(networkKind(fuse, mounts, "/home/a b/data")).toBe("fuse.sshfs");
    expect(networkKind(fuse, mounts, "/home/a b/local/data")).toBeNull();
    expect(networkKind(fuse, mounts, "/mnt/pool/data")).toBeNull();
  });
});

describe("two servers on one directory", () => {
  test("the second is refused and told who holds it, here and from another process, until that is gone", async () => {
    const dir = scratch();
    const script = `
      const { openStore } = await import(${JSON.stringify(join(import.meta.dir, "../../src/store/open.ts"))});
      const opened = openStore({ dir: ${JSON.stringify(dir)}, clock: () => Date.now(), host: null,
        random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)) });
      console.log(opened.ok ? "open" : opened.code);
      // What nothing refers to any more is collected, and its lock with it: a server holds on to its store.
      setInterval(() => opened, 1000);`;
    const holder = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "inherit" });
    const said = await holder.stdout.getReader().read();
    expect(new TextDecoder().decode(said.value)).toBe("open\n");
    const { code, message } = refusal(dir);
    expect(code).toBe("held");
    expect(message).toContain(`process ${holder.pid} on `);

    holder.kill("SIGKILL");
    await holder.exited;
    const store = await waitUntil("the dead server's lock is gone", () => {
      const result = tryOpen(dir);
      return result.ok ? result.store : null;
    });
    expect(refused(tryOpen(dir)).message).toContain(`process ${process.pid} on `);
    store.close();
    opened(dir).close();
  });

  test("a server whose database was written to by another stops writing for good", async () => {
    const dir = scratch();
    const store = opened(dir);
    await store.commit("alice", (draft) => draft.put([port("a")]));
    const thief = new Database(join(dir, "orch.db"));
    thief.run("update cluster set epoch = epoch + 1, revision = revision + 1");
    thief.close();
    const late = store.commit("alice", (draft) => draft.put([port("b")]));
    expect(String(await rejection(late))).toContain("another server has written to it");
    const later = store.commit("alice", (draft) => draft.put([port("c")]));
    expect(String(await rejection(later))).toContain("nothing more is written");
    expect([...store.state.ports.keys()]).toEqual(["a"]);
    expect(store.health().is).toBe("failed");
    store.close();
  });
});

describe("an old copy in place of the database", () => {
  test("from an earlier start is refused", async () => {
    const dir = scratch();
    await filled(dir, 2);
    copyFileSync(join(dir, "orch.db"), join(dir, "copy"));
    await filled(dir, 3);
    copyFileSync(join(dir, "copy"), join(dir, "orch.db"));
    const { code, message, hint } = refusal(dir);
    expect(code).toBe("old_copy");
    expect(message).toContain("it ends at epoch 1, this directory has seen epoch 2");
    expect(hint).toContain("orch restore");
  });

  test("from the same start is refused too", async () => {
    const dir = scratch();
    const store = opened(dir);
    await store.commit("alice", (draft) => draft.put([port("a")]));
    store.copyTo(join(dir, "copy"));
    await store.commit("alice", (draft) => draft.put([port("b")]));
    store.close();
    copyFileSync(join(dir, "copy"), join(dir, "orch.db"));
    expect(refusal(dir).message).toContain("it ends at revision 2, this directory has seen revision 3");
  });

  test("of another cluster, or none at all, is refused", async () => {
    const [dir, other] = [scratch(), scratch()];
    await filled(dir, 1);
    await filled(other, 1);
    copyFileSync(join(other, "orch.db"), join(dir, "orch.db"));
    expect(refusal(dir).message).toContain("it is of cluster");
    rmSync(join(dir, "orch.db"));
    expect(refusal(dir)).toMatchObject({ code: "missing" });
    writeFileSync(join(dir, "orch.db"), "", { mode: 0o600 });
    expect(refusal(dir)).toMatchObject({ code: "missing" });
  });

  test("without the mark beside it cannot be told: the mark is made again, and that is said", async () => {
    const dir = scratch();
    for (const lost of ["", "{"]) {
      await filled(dir, 1);
      writeFileSync(join(dir, "highest.json"), lost, { mode: 0o600 });
      if (lost === "") rmSync(join(dir, "highest.json"));
      const result = tryOpen(dir);
      expect(result.ok && result.notices.join()).toContain("highest.json");
      if (result.ok) result.store.close();
      expect(JSON.parse(readFileSync(join(dir, "highest.json"), "utf8"))).toHaveProperty("epoch");
    }
  });

  test("on another machine is refused, unless it is not known which machine this is", async () => {
    const dir = scratch();
    await filled(dir, 1);
    expect(refusal(dir, { host: "b".repeat(32) })).toMatchObject({ code: "other_host" });
    opened(dir, { host: null }).close();
    expect(refusal(dir, { host: "b".repeat(32) })).toMatchObject({ code: "other_host" });
    opened(dir).close();
  });
});

describe("a damaged database", () => {
  test("is refused with its log beside it untouched", async () => {
    const dir = scratch();
    const store = opened(dir);
    await store.commit("alice", (draft) => {
      for (let i = 0; i < 400; i++) draft.put([port(`p${i}`.repeat(20))]);
    });
    store.close();
    const bytes = readFileSync(join(dir, "orch.db"));
    bytes.fill(0xff, 8 * 4096, 12 * 4096);
    writeFileSync(join(dir, "orch.db"), bytes);
    writeFileSync(join(dir, "orch.db-wal"), "what was left", { mode: 0o600 });
    const { code, message, hint } = refusal(dir);
    expect([code, message.startsWith(join(dir, "orch.db"))]).toEqual(["corrupt", true]);
    expect(hint).toContain("orch restore");
  });

  test("that is no database, or another program's, is refused", async () => {
    const dir = scratch();
    writeFileSync(join(dir, "orch.db"), "not a database, but as long as one".repeat(100), { mode: 0o600 });
    expect(refusal(dir).code).toBe("corrupt");
    rmSync(join(dir, "orch.db"));
    const db = new Database(join(dir, "orch.db"));
    db.run("create table songs (title text)");
    db.close();
    chmodSync(join(dir, "orch.db"), 0o600);
    expect(refusal(dir).message).toContain("another program");
    rmSync(join(dir, "orch.db"));
    writeFileSync(join(dir, "orch.db-wal"), "a log without its database", { mode: 0o600 });
    expect(refusal(dir).message).toContain("its log is there without it");
    expect(existsSync(join(dir, "orch.db"))).toBe(false);
  });
});

test("each start is one epoch and one revision further, before anybody can use it", async () => {
  const dir = scratch();
  const seen: number[][] = [];
  for (let i = 0; i < 3; i++) {
    const store = opened(dir);
    const { epoch, revision } = store.state.cluster;
    const beside = new Database(join(dir, "orch.db"), { readonly: true });
    expect(beside.query("select epoch, revision from cluster").get()).toEqual({ epoch, revision });
    beside.close();
    seen.push([epoch, revision]);
    store.close();
  }
  expect(seen).toEqual([
    [1, 1],
    [2, 2],
    [3, 3],
  ]);
});
