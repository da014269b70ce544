// The reference of the spec file as Markdown, made from the schema and the tables beside it, so that it describes
// exactly the rules that are checked.

import { otherToolRows } from "./check/other-tools";
import { NAME } from "./grammar/names";
import { PLANNED } from "./check/planned";
import { ASK_LIMITS, TEXT_LIMITS } from "./limits";
import { formatBytes, formatDuration } from "../core/format";
import { SETTINGS_EFFECTS, type EffectRule } from "../core/model/settings";
import { SAID } from "./diff";
import { specJsonSchema } from "./schema/schema";

interface Json {
  readonly description?: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Json>>;
  readonly additionalProperties?: Json | boolean;
  readonly anyOf?: readonly Json[];
  readonly required?: readonly string[];
}

/** Formats a value as it is written in a spec file, on one line. */
function inline(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inline).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    const fields = Object.entries(value).map(([key, item]) => `${key}: ${inline(item)}`);
    return fields.length === 0 ? "{}" : `{ ${fields.join(", ")} }`;
  }
  return typeof value === "string" && /[,:[\]{}#&*!|>'"%@`]|^$/.test(value) ? JSON.stringify(value) : String(value);
}

const cell = (text: string): string => text.replaceAll("|", "\\|");
const code = (value: unknown): string => `\`${inline(value).replaceAll("|", "\\|")}\``;
const isEmpty = (value: unknown): boolean =>
  typeof value === "object" && value !== null && Object.keys(value).length === 0;

function row(key: string, schema: Json, required: boolean): string {
  const examples = schema.enum ?? schema.examples ?? [];
  const fallback = required
    ? "required"
    : schema.default === undefined || isEmpty(schema.default)
      ? ""
      : code(schema.default);
  return `| \`${key}\` | ${cell(schema.description ?? "")} | ${fallback} | ${examples.map(code).join(" · ")} |`;
}

function table(schema: Json, only: (key: string) => boolean = () => true): string {
  const rows = Object.entries(schema.properties ?? {})
    .filter(([key]) => only(key))
    .map(([key, value]) => row(key, value, schema.required?.includes(key) ?? false));
  return ["| key | meaning | default | such as |", "| --- | --- | --- | --- |", ...rows].join("\n");
}

const schemaUnder = (schema: Json | undefined, ...keys: string[]): Json =>
  keys.reduce<Json>((at, key) => {
    const options = at.anyOf ?? [at];
    for (const option of options) {
      const found = option.properties?.[key] ?? (key === "*" ? option.additionalProperties : undefined);
      if (typeof found === "object") return found;
    }
    return {};
  }, schema ?? {});

const objectIn = (schema: Json): Json => schema.anyOf?.find((option) => option.properties !== undefined) ?? schema;

const EXAMPLE = `    app: recs
    project: search

    services:
      api:
        run: python serve.py --port $PORT_HTTP
        replicas: 3
        resources: { cpu: 500m, memory: 1GiB, gpu: 1 }
        ports: { http: auto }

    jobs:
      prep: { run: ./prep.sh }
      train:
        run: torchrun --nproc-per-node 2 train.py
        after: [prep]
        resources: { gpu: "24GB..:2", memory: 32GiB }
        time_limit: 12h

    daemons:
      exporter: { run: ./node-exporter }`;

const LONGEST = formatDuration(ASK_LIMITS.duration_ms);

const UNITS = `| what | is written | notes |
| --- | --- | --- |
| duration | \`500ms\` \`30s\` \`5m\` \`12h\` \`7d\` \`1h30m\` | only 0 needs no unit; at most ${LONGEST} |
| time | a duration, or \`1-00:00:00\` \`12:00:00\` \`1-12\` | days, hours, minutes, seconds as Slurm writes them |
| size | \`512MiB\` \`1GiB\` \`24GB\` \`32G\` \`32Gi\` | all are powers of 1024, as for docker and Slurm |
| cores | \`2\` \`0.5\` \`500m\` | \`500m\` is 500 thousandths |
| range | \`a..b\` \`a..\` \`..b\` | open at either end |
| name | ${code(NAME.source)} | apps, workloads, projects, pools, ports |`;

const GPU = `\`[vendor:][models:][memory:][count]\`, each part at most once, told apart by its looks; or an object.

| text | means |
| --- | --- |
| \`2\` | two cards, whatever they are |
| \`24GB\` | one card sold as 24 GB or more |
| \`24GB..40GB:2\` | two cards of 24 to 40 GB |
| \`A100,H100:80GB:2\` | two cards of 80 GB or more, A100 or H100 |
| \`amd:MI300X\` | one card of another vendor |
| \`{ share: 8GB }\` | 8 GB of one card, which others may share |
| \`{ model: A100, count: 4, linked: true }\` | four A100 that are connected, or none |

How a card is chosen and what is enforced: [GPUs](../gpus.md).`;

const LABELS = `| expression | holds when the node |
| --- | --- |
| \`zone=a\`, \`zone in (a, b)\` | has the label with one of the values |
| \`zone!=a\`, \`zone notin (a, b)\` | has the label with none of the values, or not at all |
| \`zone\` | has the label |
| \`!zone\` | does not have it (in a YAML list: \`"!zone"\`) |`;

/** Returns the page. */
export function specReference(): string {
  const schema = specJsonSchema() as Json;
  const service = schemaUnder(schema, "services", "*");
  const job = schemaUnder(schema, "jobs", "*");
  const daemon = schemaUnder(schema, "daemons", "*");
  const [services, jobs, daemons] = [service, job, daemon].map((each) => new Set(Object.keys(each.properties ?? {})));
  const common = (key: string): boolean => jobs?.has(key) === true && daemons?.has(key) === true;
  const sections: [string, string][] = [
    ["The file", `YAML 1.2 (JSON is YAML), one file an app.\n\n${table(schema)}\n\n${EXAMPLE}`],
    ["Keys of every workload", table(service, common)],
    ["Keys of services", table(service, (key) => !common(key) && services?.has(key) === true)],
    ["Keys of jobs", table(job, (key) => !common(key))],
    ["Keys of daemons", table(daemon, (key) => !common(key))],
    ...blocks(service, job),
    ["Settings, changed in place", settings()],
    ["Units", UNITS],
    ["Not built yet", planned()],
    ["Coming from another tool", otherTools()],
    ["Limits", limits()],
  ];
  return `# The spec file\n\n${sections.map(([title, text]) => `## ${title}\n\n${text}\n`).join("\n")}`;
}

/** Texts about a block that are not about one of its keys, placed before or after the block's table. */
const NOTES: Readonly<Record<string, (table: string) => string>> = {
  "resources.gpu": (table) => `${GPU}\n\n${table}`,
  place: (table) => `${table}\n\n${LABELS}`,
};

/** Returns a title and a section for each key of a workload that contains keys itself, in the order of the schema. */
function blocks(...kinds: readonly Json[]): [string, string][] {
  const properties = Object.assign({}, ...kinds.map((kind) => kind.properties ?? {})) as Record<string, Json>;
  return Object.entries(properties).flatMap(([key, schema]) => blockSections(key, schema));
}

function blockSections(path: string, schema: Json): [string, string][] {
  const held = [schema, ...(typeof schema.additionalProperties === "object" ? [schema.additionalProperties] : [])];
  const block = held.map(objectIn).find((each) => each.properties !== undefined);
  if (block === undefined) return [];
  const note = NOTES[path] ?? ((text: string) => text);
  const inner = Object.entries(block.properties ?? {}).flatMap(([key, each]) => blockSections(`${path}.${key}`, each));
  return [[`\`${path}\``, note(table(block))], ...inner];
}

function settings(): string {
  const rows = Object.entries(SETTINGS_EFFECTS).flatMap(([key, rule]): [string, EffectRule][] =>
    "effect" in rule ? [[key, rule]] : Object.entries(rule).map(([part, inner]) => [`${key}.${part}`, inner]),
  );
  // Both ends of a range are one key of the file.
  const written = new Map(rows.map(([key, rule]) => [SETTING_KEYS[key] ?? `\`${key}\``, rule]));
  return [
    "A change of these keys makes no version and restarts nothing; `orch plan` says when each acts. For a job, *now*",
    "means its open runs of the present version. A change that also makes a version comes to a job with its new run.",
    "",
    "| key | a change acts | what follows |",
    "| --- | --- | --- |",
    ...[...written].map(([key, { effect, how }]) => `| ${key} | ${SAID[effect]} | ${cell(how)} |`),
  ].join("\n");
}

/** Settings that the file names otherwise. */
const SETTING_KEYS: Readonly<Record<string, string>> = {
  "restart.backoff_min_ms": "`restart.backoff`",
  "restart.backoff_max_ms": "`restart.backoff`",
  time_limit_ms: "`time_limit`",
  after: "`after`, `after_any`, `after_failed`",
};

function planned(): string {
  const rows = PLANNED.map(({ key, where, description, instead }) => {
    const kinds = where === "workload" ? "all" : `${where}s`;
    return `| \`${key}\` | ${kinds} | ${cell(description)} | ${cell(instead ?? "")} |`;
  });
  return [
    "These keys are part of the contract; until they are built, using one is an error that says so.",
    "",
    "| key | in | will mean | until then |",
    "| --- | --- | --- | --- |",
    ...rows,
  ].join("\n");
}

function otherTools(): string {
  const rows = otherToolRows()
    .filter(({ tool }) => tool !== "others")
    .map(({ tool, key, hint }) => `| ${tool} | \`${key}\` | ${cell(hint)} |`);
  return [
    "An unknown key is an error; these are known from elsewhere.",
    "",
    "| from | key | here |",
    "| --- | --- | --- |",
    ...rows,
  ].join("\n");
}

function limits(): string {
  const rows: [string, string][] = [
    ["text", formatBytes(TEXT_LIMITS.bytes)],
    ["depth", String(TEXT_LIMITS.depth)],
    ["values, aliases resolved", String(TEXT_LIMITS.nodes)],
    ["replicas", String(ASK_LIMITS.replicas)],
    ["members of a gang", String(ASK_LIMITS.gang_members)],
    ["cards a task", String(ASK_LIMITS.gpu_count)],
    ["variables", `${ASK_LIMITS.env_names}, together ${formatBytes(ASK_LIMITS.env_bytes)}`],
    ["ports", String(ASK_LIMITS.port_count)],
    ["labels", String(ASK_LIMITS.label_count)],
    ["`after`, `after_any` and `after_failed` together", String(ASK_LIMITS.after_count)],
    ["priority", `-${ASK_LIMITS.priority} to ${ASK_LIMITS.priority}`],
    ["retries", String(ASK_LIMITS.retries)],
  ];
  return ["| what | at most |", "| --- | --- |", ...rows.map(([what, bound]) => `| ${what} | ${bound} |`)].join("\n");
}
