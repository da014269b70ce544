// Completion scripts for shells, made from the table of commands. Commands and options are words of the script; names
// of nodes, apps, runs, tasks and users are asked for with a hidden command, which is quick or silent.

import { type AnyCommand, type CommandEntry } from "./command";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** A long or short option. `value`: what is typed behind it: nothing, a file or directory, or something else. */
interface CompletedOption {
  readonly spellings: readonly string[];
  readonly about: string;
  readonly value: "none" | "file" | "other";
}

interface Completed {
  readonly name: string;
  readonly about: string;
  readonly options: readonly CompletedOption[];
  /** Which word for a file or a program its operands have, or an empty text: then no file is ever offered for them. */
  readonly takesFiles: string;
}

const FILES = /FILE|DIR|SCRIPT|CMD/;

/** Returns every command with its options. */
async function completed(table: readonly CommandEntry[]): Promise<Completed[]> {
  return Promise.all(
    table.map(async ({ name, about, load }) => {
      const loaded = await load();
      return { name, about, options: optionsOf(loaded), takesFiles: FILES.exec(loaded.operands.join(" "))?.[0] ?? "" };
    }),
  );
}

function optionsOf({ options, reads, talks }: AnyCommand): CompletedOption[] {
  return [
    ...Object.values(options).map(({ flags, about }) => optionOf(flags, about)),
    ...(reads ? [optionOf("--json", "one JSON document"), optionOf("-q, --quiet", "names or ids only")] : []),
    ...(talks ? [optionOf("--url <URL>", "address of the server"), optionOf("--token <TOKEN>", "who you are")] : []),
    optionOf("-h, --help", "show help"),
  ];
}

function optionOf(flags: string, about: string): CompletedOption {
  const [, value] = /<(.*)>/.exec(flags) ?? [];
  return {
    // The long spelling comes first.
    spellings: (flags.match(/(?<=^|[ ,])--?[a-zA-Z][a-z-]*/g) ?? []).toReversed(),
    about,
    value: value === undefined ? "none" : FILES.test(value) ? "file" : "other",
  };
}

export async function completionScript(table: readonly CommandEntry[], shell: Shell): Promise<string> {
  const commands = await completed(table);
  return shell === "fish" ? fish(commands) : bash(commands, shell);
}

const firstWords = (commands: readonly Completed[]): string[] => [
  ...new Set(commands.map(({ name }) => name.split(" ")[0] ?? name)),
];

function bash(commands: readonly Completed[], shell: "bash" | "zsh"): string {
  const firsts = firstWords(commands).join(" ");
  const groups = firstWords(commands)
    .map((first) => ({
      first,
      verbs: commands
        .filter(({ name }) => name.startsWith(`${first} `))
        .map(({ name }) => name.slice(first.length + 1)),
    }))
    .filter(({ verbs }) => verbs.length > 0);
  const spelled = (options: readonly CompletedOption[], value: CompletedOption["value"]): string =>
    options
      .filter((one) => one.value === value)
      .flatMap(({ spellings }) => spellings)
      .join(" ");
  const cases = commands.map(
    ({ name, options, takesFiles }) =>
      `    "${name}") options="${options.map(({ spellings: [first] }) => first).join(" ")}" ` +
      `valued="${spelled(options, "other")}" filed="${spelled(options, "file")}" files="${takesFiles}" ;;`,
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
    '  local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" one="${COMP_WORDS[1]}"',
    '  local named="$one" words="" options="" valued="" filed="" files="" word',
    `  case "$one" in ${groups.map(({ first }) => first).join("|")}) named="$one \${COMP_WORDS[2]}" ;; esac`,
    '  case "$named" in',
    ...cases,
    "  esac",
    '  if [ "$COMP_CWORD" -eq 1 ] || { [ "$COMP_CWORD" -eq 2 ] && [ "$one" = help ]; }; then',
    `    words="${firsts}"; files=""`,
    '  elif [ "$COMP_CWORD" -eq 2 ] && [ "$named" != "$one" ]; then files=""; case "$one" in',
    ...groups.map(({ first, verbs }) => `    ${first}) words="${verbs.join(" ")}" ;;`),
    "    esac",
    '  else case " $filed ? $valued " in',
    '    *" $prev "*"?"*) files=FILE ;;',
    '    *"?"*" $prev "*) files=""; words="$(orch __complete "$prev" $named 2>/dev/null </dev/null)" ;;',
    '    *) case "$cur" in',
    '      -*) files=""; words="$options" ;;',
    '      *) case " ${COMP_WORDS[*]} " in *" -- "*) ;;',
    '        *) words="$(orch __complete $named 2>/dev/null </dev/null)" ;; esac ;;',
    "      esac ;;",
    "    esac",
    "  fi",
    // In zsh, compgen -W chooses nothing.
    '  COMPREPLY=(); for word in $words; do case "$word" in "$cur"*) COMPREPLY+=("$word") ;; esac; done',
    // Where names come from the server, an answer that is late or empty must not bring files. A program is either: the
    // beginning of it that was typed may be a file's.
    '  if [ "${#COMPREPLY[@]}" -eq 0 ] && [ -n "$files" ]; then case "$files$COMP_CWORD$cur" in CMD2) ;; *)',
    '    COMPREPLY=($(compgen -f -- "$cur")) ;; esac; fi',
    "}",
    "complete -F _orch orch",
    "",
  ].join("\n");
}

function fish(commands: readonly Completed[]): string {
  const quoted = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  const fileWords = commands
    .filter(({ takesFiles }) => takesFiles !== "")
    .map(({ name }) => name.split(" ").at(-1) ?? name);
  const lines = [`complete -c orch -f -n 'not __fish_seen_subcommand_from ${[...new Set(fileWords)].join(" ")}'`];
  for (const { name, about, options } of commands) {
    const [first = name, verb] = name.split(" ");
    if (verb === undefined) lines.push(`complete -c orch -n __fish_use_subcommand -a ${first} -d ${quoted(about)}`);
    else {
      const verbs = commands.filter((one) => one.name.startsWith(`${first} `)).map((one) => one.name.split(" ")[1]);
      const isNext = `__fish_seen_subcommand_from ${first}; and not __fish_seen_subcommand_from ${verbs.join(" ")}`;
      lines.push(`complete -c orch -n '${isNext}' -a ${verb} -d ${quoted(about)}`);
    }
    const when =
      verb === undefined
        ? `__fish_seen_subcommand_from ${first}`
        : `__fish_seen_subcommand_from ${first}; and __fish_seen_subcommand_from ${verb}`;
    for (const { spellings, about: meaning, value } of options) {
      const option = spellings.map((one) => (one.startsWith("--") ? `-l ${one.slice(2)}` : `-s ${one.slice(1)}`));
      const takes = {
        none: "",
        file: " -r -F",
        other: ` -x -a '(orch __complete ${spellings[0]} ${name} 2>/dev/null </dev/null)'`,
      }[value];
      lines.push(`complete -c orch -n '${when}' ${option.join(" ")} -d ${quoted(meaning)}${takes}`);
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
