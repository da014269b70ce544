// The short form of the campaign: kills of server, agents and keepers under four writers, with frozen disks, cut
// networks and stepping clocks between them, and everything checked at the end; and the same under one array. The long
// form is `bun run campaign`.

import { expect, test } from "bun:test";
import { join } from "node:path";
import { missing } from "../../scripts/campaign/field";

const KILLS = 16;
const SEED = 7;

const why = missing();
if (why !== null) console.log(`the campaign is skipped: ${why}`);

const cases = [
  [`${KILLS} kills under four writers`, []],
  [`${KILLS} kills under an array`, ["--elements", "3000"]],
] as const;

test.skipIf(why !== null).each(cases)(
  "%s: nothing is lost, done twice, or told wrongly",
  async (_what, more) => {
    const script = join(import.meta.dir, "..", "..", "scripts", "campaign.ts");
    const argv = [process.execPath, script, "--kills", `${KILLS}`, "--seed", `${SEED}`, ...more];
    const child = Bun.spawn(argv, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
    const [out, err, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    expect(code, out + err).toBe(0);
    expect(out).toContain(" 0 lost, 0 twice, 0 wrong");
    expect(out).not.toContain("left behind");
  },
  240_000,
);
