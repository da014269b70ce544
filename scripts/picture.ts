// Draws docs/demo.svg, the picture at the top of the README, from a real run of the demo: `bun run picture`. It shows
// what the demo printed, shortened; test/e2e/picture.test.ts holds it against a new run.

import { join } from "node:path";

const ROOT = join(import.meta.dir, "..");
const FILE = join(ROOT, "docs", "demo.svg");

/** Runs the demo as somebody without a terminal does. Returns what it printed. */
export async function demoOutput(): Promise<string> {
  const child = Bun.spawn([process.execPath, "scripts/demo.ts"], {
    cwd: ROOT,
    env: { ...process.env, NO_COLOR: "1" },
    stdout: "pipe",
    stderr: "inherit",
  });
  const out = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error(`the demo failed:\n${out}`);
  return out;
}

/** Returns the blocks of an output: what stands between empty lines. */
const blocksOf = (output: string): string[][] =>
  output
    .trimEnd()
    .split(/\n\n+/)
    .map((block) => block.split("\n"));

function blockWith(blocks: readonly (readonly string[])[], beginning: string): string[] {
  const found = blocks.find(([first = ""]) => first.startsWith(beginning));
  if (found === undefined) throw new Error(`the demo prints no block that begins with ${JSON.stringify(beginning)}`);
  return found.map((line) => line.trimEnd());
}

/** Returns the lines of the picture: the demo's own, some left out. */
export function pictureLines(output: string): string[] {
  const blocks = blocksOf(output);
  const at = blocks.findIndex(([first = ""]) => first.startsWith("Now "));
  const [lost, later] = [blocks[at] ?? [], blocks.slice(at + 1)];
  const news = (later[0] ?? []).filter((line) => /given up|#\d+ +running/.test(line)).map((line) => line.trimEnd());
  const [back = ""] = later.flat().filter((line) => line.includes(" came up on "));
  return [
    blockWith(blocks, "$ orch apply"),
    blockWith(blocks, "$ orch ps"),
    lost.map((line) => line.trimEnd()),
    [...news, back],
    blockWith(later, "$ orch nodes"),
    blockWith(later, "$ orch runs"),
  ].flatMap((block, n) => (n === 0 ? block : ["", ...block]));
}

/**
 * Returns what stays the same from run to run: commands, headings, sentences, and the rows of each block in one order,
 * without their numbers, ids and machines.
 */
export function sameLines(lines: readonly string[]): string[] {
  const plain = lines.map((line) =>
    line
      .replaceAll(/\b[0-9a-f]{10}\b/g, "ID")
      .replaceAll(/\bbox\d\b/g, "box")
      .replaceAll(/\d+(\.\d+)?(m(?=s\b))?/g, "N")
      .replaceAll(/\s+/g, " ")
      .trim(),
  );
  const isFixed = (line: string): boolean => /^(\$ |[A-Z]+ [A-Z]+ )/.test(line);
  return blocksOf(plain.join("\n")).flatMap((block) => [
    ...block.filter(isFixed),
    ...block.filter((line) => !isFixed(line)).toSorted(),
  ]);
}

// ---- drawing, in units of one pixel
const CHAR = 8;
const LINE = 20;
const PAD = 20;
const BAR = 34;

const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** Words that are coloured wherever they stand. */
const WORDS = /\b(running|succeeded|ready|unreachable|given up)\b/g;
const CLASS: Readonly<Record<string, string>> = { unreachable: "bad", "given up": "bad" };

/** Returns a line with its parts marked for the style sheet. */
function marked(line: string): string {
  if (line.startsWith("$ ")) return `<tspan class="dim">$ </tspan><tspan class="cmd">${escaped(line.slice(2))}</tspan>`;
  if (/^ *[A-Z]+ +[A-Z]+ /.test(line)) return `<tspan class="dim">${escaped(line)}</tspan>`;
  if (/^(Now|demo\.\S+ came) /.test(line)) return `<tspan class="cmd">${escaped(line)}</tspan>`;
  return escaped(line).replaceAll(WORDS, (word) => `<tspan class="${CLASS[word] ?? "good"}">${word}</tspan>`);
}

const STYLE = `
    text { font: 13.3px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace }
    text { white-space: pre; fill: #1f2328 }
    .back { fill: #f6f8fa; stroke: #d1d9e0 } .dot { fill: #d1d9e0 }
    .dim { fill: #59636e } .cmd { font-weight: 600 } .good { fill: #1a7f37 } .bad { fill: #cf222e }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 } .back { fill: #0d1117; stroke: #30363d } .dot { fill: #30363d }
      .dim { fill: #9198a1 } .good { fill: #3fb950 } .bad { fill: #f85149 }
    }
`;

/** Returns the picture. Each line is a text of its own, as wide as its characters whatever the font. */
export function pictureSvg(lines: readonly string[]): string {
  const columns = Math.max(...lines.map((line) => line.length));
  const [width, height] = [columns * CHAR + 2 * PAD, BAR + lines.length * LINE + PAD];
  const texts = lines.flatMap((line, n) => {
    if (line === "") return [];
    const indent = line.length - line.trimStart().length;
    const [x, y] = [PAD + indent * CHAR, BAR + n * LINE + 14];
    const long = (line.length - indent) * CHAR;
    return [`  <text x="${x}" y="${y}" textLength="${long}" xml:space="preserve">${marked(line.trimStart())}</text>`];
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}"`,
    `     height="${height}" role="img">`,
    "  <!-- Made by `bun run picture` from a run of the demo; don't edit it here. -->",
    "  <title>A terminal: an app is applied, a machine loses power, its replica comes up on another</title>",
    `  <style>${STYLE}  </style>`,
    `  <rect class="back" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8"/>`,
    ...[0, 1, 2].map((n) => `  <circle class="dot" cx="${PAD + 2 + n * 18}" cy="17" r="5"/>`),
    ...texts,
    "</svg>",
    "",
  ].join("\n");
}

/** Returns the lines that a picture shows, without the empty ones between its blocks. */
export function linesIn(svg: string): string[] {
  const found = [...svg.matchAll(/<text x="(\d+)" y="(\d+)"[^>]*>(.*)<\/text>/g)];
  const texts = found.map(([, x = "", y = "", text = ""]) => ({
    y: Number(y),
    text: `${" ".repeat((Number(x) - PAD) / CHAR)}${text}`
      .replaceAll(/<[^>]*>/g, "")
      .replaceAll("&lt;", "<")
      .replaceAll("&gt;", ">")
      .replaceAll("&amp;", "&"),
  }));
  return texts.flatMap(({ y, text }, n) => (y - (texts[n - 1]?.y ?? y) > LINE ? ["", text] : [text]));
}

if (import.meta.main) {
  const svg = pictureSvg(pictureLines(await demoOutput()));
  await Bun.write(FILE, svg);
  console.log(`wrote: docs/demo.svg (${svg.length} bytes)`);
}
