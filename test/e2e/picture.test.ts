// The picture of the README shows what the demo prints now, and can be shown to everybody.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { demoOutput, linesIn, pictureLines, pictureSvg, sameLines } from "../../scripts/picture";

const ROOT = join(import.meta.dir, "..", "..");
const SVG = readFileSync(join(ROOT, "docs", "demo.svg"), "utf8");

test("it is of the demo's present output (else: bun run picture)", async () => {
  const now = sameLines(pictureLines(await demoOutput()));
  expect(now.filter((line) => line.startsWith("$ "))).toEqual([
    "$ orch apply -f examples/demo.yaml --yes",
    "$ orch ps --all",
    "$ orch nodes",
    "$ orch runs",
  ]);
  expect(sameLines(linesIn(SVG))).toEqual(now);
}, 120_000);

test("it is drawn as the script draws it, small, for light and dark, and needs nothing from elsewhere", () => {
  expect(pictureSvg(linesIn(SVG))).toBe(SVG);
  expect(SVG.length).toBeLessThan(60_000);
  expect(SVG).toContain("@media (prefers-color-scheme: dark)");
  expect(SVG.replace('xmlns="http://www.w3.org/2000/svg"', "")).not.toMatch(
    /https?:\/\/|url\(|<image|<script|<foreignObject/,
  );
});

test("it names no path of where it was made", () => {
  expect(linesIn(SVG).join("\n")).not.toMatch(/\/(home|root|tmp|var|Users)\b/);
});

test("the README shows it, and the two commands that set up", () => {
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  expect(readme).toMatch(/!\[[^\]]{40,}\]\(docs\/demo\.svg\)/);
  expect([...readme.matchAll(/^ {4}(npx .+)$/gm)].map(([, line]) => line)).toEqual([
    "npx -y bun@1.4.5 run demo",
    "npx -y bun@1.4.5 run test",
  ]);
});
