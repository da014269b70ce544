// Completion scripts for shells, made from the table of commands. Commands and options are words of the script; names
// of nodes, apps, runs, tasks and users are asked for with a hidden command, which is quick or silent.

import { longName, type AnyCommand, type CommandEntry } from "./command";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

interface Completed {
  readonly name: string;
  readonly about: string;
  readonly options: readonly { readonly flag: string; readonly about: string }[];
  /** Whether files or directories are typed behind it. */
  readonly takesFiles: boolean;
}

const FILES = /FILE|DIR|SCRIPT|CMD/;

/** Returns every command with its long options. */
async function completed(table: readonly CommandEntry[]): Promise<Completed[]> {
  return Promise.all(
    table.map(async ({ name, about, load }) => {
      const loaded = await load();
      const typed = [...loaded.operands, ...Object.values(loaded.options).map(({ flags }) => flags)];
      return { name, about, options: optionsOf(loaded), takesFiles: typed.some((one) => FILES.test(one)) };
    }),
  );
}

function optionsOf({ options, reads, talks }: AnyCommand): { flag: string; about: string }[] {
  return [
    ...Object.values(options).map((one) => ({ flag: longName(one.flags), about: one.about })),
    ...(reads
      ? [
          { flag: "--json", about: "one JSON document" },
          { flag: "--quiet", about: "names or ids only" },
        ]
      : []),
    ...(talks
      ? [
          { flag: "--url", about: "address of the server" },
          { flag: "--token", about: "who you are" },
        ]
      : []),
    { flag: "--help", about: "show help" },
  ];
}

export async function completionScript(table: readonly CommandEntry[], shell: Shell): Promise<string> {
  const commands = await completed(table);
  return shell === "fish" ? fish(commands) : bash(commands, shell);
}

const firstWords = (commands: readonly Completed[]): string[] => [
  ...new Set(commands.map(({ name }) => name.split(" ")[0] ?? name)),
];

function bash(commands: readonly Completed[], shell: "bash" | "zsh"): string {
  const groups = firstWords(commands)
    .map((first) => ({
      first,
      verbs: commands
        .filter(({ name }) => name.startsWith(`${first} `))
        .map(({ name }) => name.slice(first.length + 1)),
    }))
    .filter(({ verbs }) => verbs.length > 0);
  const cases = commands.map(
    ({ name, options }) => `    "${name}") words="${options.map(({ flag }) => flag).join(" ")}" ;;`,
  );
  return [
    // A zsh without a framework has not loaded its completion yet.
    ...(shell === "zsh"
      ? [
          "(( $+functions[compdef] )) || { autoload -U compinit && compinit -i; }",
          "autoload -U +X bashcompinit && bashcompinit",
        ]
      : []),
    "_orch() {",
    '  local cur="${COMP_WORDS[COMP_CWORD]}" one="${COMP_WORDS[1]}" two="${COMP_WORDS[1]} ${COMP_WORDS[2]}" words=""',
    `  if [ "$one" = help ] && [ "$COMP_CWORD" -eq 2 ]; then words="${firstWords(commands).join(" ")}"; fi`,
    `  if [ "$COMP_CWORD" -eq 1 ]; then words="${firstWords(commands).join(" ")}"; fi`,
    '  if [ "$COMP_CWORD" -eq 2 ]; then case "$one" in',
    ...groups.map(({ first, verbs }) => `    ${first}) words="${verbs.join(" ")}" ;;`),
    "  esac; fi",
    '  case "$cur" in -*)',
    `  case "$one" in ${groups.map(({ first }) => first).join("|")}) one="$two" ;; esac`,
    '  case "$one" in',
    ...cases,
    "  esac ;; esac",
    `  local named="$one"; case "$one" in ${groups.map(({ first }) => first).join("|")}) named="$two" ;; esac`,
    '  if [ -z "$words" ] && [ "$COMP_CWORD" -gt 1 ]; then case "$cur" in -*) ;; *)',
    '    words="$(orch __complete $named 2>/dev/null </dev/null)" ;; esac; fi',
    // In zsh, compgen -W chooses nothing.
    '  local word; COMPREPLY=(); for word in $words; do case "$word" in "$cur"*) COMPREPLY+=("$word") ;; esac; done',
    // A file may be meant as well as a name, as with submit.
    '  if [ "${#COMPREPLY[@]}" -eq 0 ] && [ "$COMP_CWORD" -gt 1 ]; then COMPREPLY=($(compgen -f -- "$cur")); fi',
    "}",
    "complete -F _orch orch",
    "",
  ].join("\n");
}

function fish(commands: readonly Completed[]): string {
  const quoted = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  const fileWords = commands.filter(({ takesFiles }) => takesFiles).map(({ name }) => name.split(" ").at(-1) ?? name);
  const lines = [`complete -c orch -f -n 'not __fish_seen_subcommand_from ${[...new Set(fileWords)].join(" ")}'`];
  for (const { name, about, options } of commands) {
    const [first = name, verb] = name.split(" ");
    if (verb === undefined) lines.push(`complete -c orch -n __fish_use_subcommand -a ${first} -d ${quoted(about)}`);
    else lines.push(`complete -c orch -n '__fish_seen_subcommand_from ${first}' -a ${verb} -d ${quoted(about)}`);
    const when =
      verb === undefined
        ? `__fish_seen_subcommand_from ${first}`
        : `__fish_seen_subcommand_from ${first}; and __fish_seen_subcommand_from ${verb}`;
    for (const { flag, about: meaning } of options) {
      const option = flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`;
      lines.push(`complete -c orch -n '${when}' ${option} -d ${quoted(meaning)}`);
    }
  }
  lines.push(
    `complete -c orch -n '__fish_seen_subcommand_from help' -a '${firstWords(commands).join(" ")}'`,
    "complete -c orch -n 'not __fish_use_subcommand' " +
      "-a '(orch __complete (commandline -opc)[2..3] 2>/dev/null </dev/null)'",
  );
  const groups = new Set(
    commands.filter(({ name }) => name.includes(" ")).map(({ name }) => name.split(" ")[0] ?? name),
  );
  for (const group of groups) lines.push(`complete -c orch -n __fish_use_subcommand -a ${group}`);
  return `${lines.join("\n")}\n`;
}
