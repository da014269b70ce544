// Units of systemd as text: words that survive its unquoting, flags that are put together again as they were typed.

import { describe, expect, test } from "bun:test";
import { readDuration } from "../../../src/spec/grammar/units";
import { flag, reading, text, texts } from "../../../src/cli/frame/command";
import { argvOf, typedOptions } from "../../../src/cli/install/argv";
import { agentUnit, serverUnit, unitWord } from "../../../src/cli/install/unit";

describe("a word of a command line", () => {
  test.each([
    ["--data", "--data"],
    ["/var/lib/orch", "/var/lib/orch"],
    ["zone=a", "zone=a"],
    ["", '""'],
    ["two words", '"two words"'],
    ['say "hi"', '"say \\"hi\\""'],
    ["back\\slash", '"back\\\\slash"'],
    ["100%", "100%%"],
    ["$HOME/x", "$$HOME/x"],
    [";", '";"'],
    ["a\nb", '"a\\nb"'],
    ["it's", '"it\'s"'],
  ])("%j is written %s", (word, written) => expect(unitWord(word)).toBe(written));
});

describe("flags", () => {
  const options = {
    name: text("--name <NAME>", ""),
    label: texts("--label <K=V>", ""),
    wait: flag("-w, --wait", ""),
    after: reading("--after <DURATION>", "", readDuration),
  };
  const typed = typedOptions(options);

  test("are given on as they were typed", () => {
    const flags = {
      name: typed.name.read("box 1"),
      label: typed.label.read(["a=1", "b=2"]),
      wait: typed.wait.read(true),
      after: typed.after.read("1m30s"),
    };
    expect(argvOf(options, flags)).toEqual([
      "--name",
      "box 1",
      "--label",
      "a=1",
      "--label",
      "b=2",
      "--wait",
      "--after",
      "1m30s",
    ]);
  });
  test("that were not given stay out", () => {
    const flags = {
      name: typed.name.read(undefined),
      label: typed.label.read(undefined),
      wait: typed.wait.read(undefined),
    };
    expect(argvOf(options, flags)).toEqual([]);
  });
  test("that are wrong are refused before anything is written", () => {
    expect(() => typed.after.read("soon")).toThrow("is not a duration");
  });
});

describe("a unit", () => {
  const common = { argv: ["server", "--data", "/srv/a b"], data_dir: "/srv/100%/server", user: null };
  test("of the server has its own directory and nothing else to write to", () => {
    const unit = serverUnit({ ...common, user: "orch", port: 4400 });
    expect(unit).toContain('ExecStart=/usr/local/bin/orch server --data "/srv/a b"\n');
    for (const line of ["User=orch", "Restart=always", "ProtectSystem=strict", "ReadWritePaths=/srv/100%%/server"]) {
      expect(unit).toContain(`\n${line}\n`);
    }
  });
  test("of the server has no right of root's, except to a low port that it was told", () => {
    const unit = (port: number | null, data_dir = "/srv/orch"): string =>
      serverUnit({ argv: ["server"], data_dir, user: "orch", port });
    expect(unit(4400)).toContain("\nCapabilityBoundingSet=\nAmbientCapabilities=\n");
    expect(unit(null)).toContain("\nPrivateUsers=yes\n");
    expect(unit(443)).toContain(
      "\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n",
    );
    expect(unit(443)).not.toContain("PrivateUsers");
    expect(unit(4400)).toContain("\nProtectHome=yes\n");
    expect(unit(4400, "/home/a/orch")).not.toContain("ProtectHome");
    expect(unit(4400, "/tmp/orch")).not.toContain("PrivateTmp");
  });
  test("of the agent leaves tasks alone and waits for their departure", () => {
    const unit = agentUnit({ ...common, token_file: "/srv/t", drain_ms: 90_000 });
    for (const line of [
      "KillMode=process",
      "Delegate=yes",
      "TasksMax=infinity",
      "LimitMEMLOCK=infinity",
      "LimitNOFILE=1048576",
      "Restart=always",
      "OOMScoreAdjust=-500",
      "TimeoutStopSec=120",
      "ConditionPathExists=|/srv/t",
    ]) {
      expect(unit).toContain(`\n${line}\n`);
    }
    // What a unit forbids, it forbids to the tasks as well.
    expect(unit).not.toMatch(/User=|Protect|Private|Restrict|Capabilit|SystemCall|NoNewPrivileges|UMask/);
  });
});
