// A command behind a login shell, with real shells: the profile is read, the words stay as they are, and what is
// activated leads PATH also after the profile has set it.

import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loginArgv } from "../../../src/agent/drivers/login";
import type { Command } from "../../../src/core/model/workload";

const home = mkdtempSync(join(tmpdir(), "orch-login-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));
const POSIX = 'export FROM_PROFILE=yes PATH=/usr/bin:/bin\ngreet() { echo "hello $1"; }\n';
for (const file of [".profile", ".zprofile"]) writeFileSync(join(home, file), POSIX);
writeFileSync(join(home, ".login"), "setenv FROM_PROFILE yes\nsetenv PATH /usr/bin:/bin\n");
mkdirSync(join(home, ".config/fish"), { recursive: true });
writeFileSync(
  join(home, ".config/fish/config.fish"),
  "if status is-login\n  set -gx FROM_PROFILE yes\n  set -gx PATH /usr/bin /bin\nend\n",
);

const argvOf = (command: Command): readonly string[] =>
  command.kind === "argv" ? command.argv : [command.shell, "-c", command.script];
const out = (shell: string, command: Command, lead: string | null = null) => {
  const argv = loginArgv(shell, command, argvOf(command), lead);
  const done = Bun.spawnSync(argv, { env: { HOME: home, PATH: "/usr/bin:/bin" }, cwd: "/", stdin: "ignore" });
  return { code: done.exitCode, out: done.stdout.toString(), err: done.stderr.toString() };
};

const ODD = ["two words", "$HOME `id` !x *", "it's", "", 'a"b', "new\nline", "back\\slash", "é"];
const PRINTS = 'printf "%s|" "$FROM_PROFILE" "$PATH"; for word; do printf "<%s>" "$word"; done';
const SHELLS = ["/bin/sh", "bash", "dash", "zsh", "ksh", "tcsh", "fish"].flatMap((name) => Bun.which(name) ?? []);

describe("a command behind a login shell", () => {
  for (const shell of SHELLS) {
    test(`${shell} reads its profile and keeps every word`, () => {
      const command: Command = { kind: "argv", argv: ["/bin/sh", "-c", PRINTS, "sh", ...ODD] };
      const words = ODD.map((word) => `<${word}>`).join("");
      expect(out(shell, command)).toEqual({ code: 0, out: `yes|/usr/bin:/bin|${words}`, err: "" });
      expect(out(shell, command, "/my env/bin").out).toBe(`yes|/my env/bin:/usr/bin:/bin|${words}`);
    });
    test(`${shell} runs a text as sh would, and passes its end on`, () => {
      const script = 'list="a b"; for one in $list; do printf "<%s>" "$one"; done; exit 7';
      expect(out(shell, { kind: "shell", shell: "sh", script })).toEqual({ code: 7, out: "<a><b>", err: "" });
      expect(out(shell, { kind: "argv", argv: ["no-such-command"] }).code).toBe(127);
    });
  }

  for (const shell of SHELLS.filter((one) => !/csh|fish/.test(one))) {
    test(`${shell} finds what its profile defines`, () => {
      expect(out(shell, { kind: "argv", argv: ["greet", "a  b"] }).out).toBe("hello a  b\n");
      expect(out(shell, { kind: "shell", shell: "sh", script: "greet you" }).out).toBe("hello you\n");
    });
  }

  test("takes the shell that the text asks for", () => {
    const script = 'greet "${BASH_VERSION:+bash}"';
    const argv = loginArgv("/bin/dash", { kind: "shell", shell: "bash", script }, ["/bin/bash", "-c", script], null);
    expect(argv[0]).toBe("/bin/bash");
    expect(out("/bin/dash", { kind: "shell", shell: "bash", script }).out).toBe("hello bash\n");
  });

  test("takes sh for an account that nobody logs in to", () => {
    for (const shell of ["/usr/sbin/nologin", "/bin/false"]) {
      expect(out(shell, { kind: "argv", argv: ["greet", "x"] }).out).toBe("hello x\n");
    }
  });
});
