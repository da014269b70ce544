// Makes the argv of a task's process: the command itself, or the command behind a switch of account. Nothing of the
// user's own is read before the switch: the environment is passed under other names, and only afterwards the directory
// is entered and the command looked up.

import type { TaskOrder } from "./messages";

export interface Wrapped {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Whether the process writes to descriptor 3 why it could not begin. */
  readonly tells: boolean;
}

const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** What the script below writes once nothing but the command itself can fail. Then the exit is the command's own. */
export const BEGUN = "begun";

/**
 * The script that runs after the switch, or where the keeper must not look itself. It enters the directory, checks the
 * command and the interpreter that it names, and becomes it. It says in descriptor 3 what it lacks: a cause, and words.
 * The check of the command has a shell of its own, whose variables the command does not see.
 */
const BEGIN = `if [ -n "$1" ]; then
  cd -- "$1" 2>/dev/null || { echo "no_directory the directory $1 cannot be entered by $(id -un)" >&3; exit 126; }
else cd -- "$HOME" 2>/dev/null || cd /; fi
shift
( case $1 in
  */*) [ -e "$1" ] || { echo "no_command $1 is not there, or $(id -un) may not see it" >&3; exit 127; }
       [ -x "$1" ] && [ ! -d "$1" ] || { echo "no_command $1 is not executable for $(id -un)" >&3; exit 126; }
       path=$1 ;;
  *) path=$(command -v "$1" 2>/dev/null) ||
       { echo "no_command the command $1 is in no directory of PATH" >&3; exit 127; } ;;
esac
[ -f "$path" ] && [ -r "$path" ] || exit 0
IFS= read -r line 2>/dev/null <"$path"
case $line in
  "#!"*) set -f; set -- \${line#??}
    [ -x "$1" ] || { echo "no_command the interpreter $1 of $path is not there or not executable" >&3; exit 127; } ;;
esac
exit 0 ) || exit
echo ${BEGUN} >&3 || exit
exec "$@" 3>&-`;

/** The programs of util-linux that a task's command may need in front of it. Null: the machine has none. */
export interface Wrappers {
  readonly setpriv: string | null;
  readonly prlimit: string | null;
}

/** Where a task begins. `far`: its directory or command may hang, so only its own process looks at them. */
export interface Whereabouts {
  readonly cwd: string;
  readonly far: boolean;
}

/** Returns the command of an order, or in words why it cannot be run. */
export function commandOf(order: TaskOrder, begins: Whereabouts, { setpriv, prlimit }: Wrappers): Wrapped | string {
  const wrapped = accountCommand(order, begins, setpriv);
  const limits = Object.entries(order.process_limits ?? {});
  if (limits.length === 0 || typeof wrapped === "string") return wrapped;
  if (prlimit === null) return "prlimit (util-linux) is not on this node, which needs it for `limits`";
  const options = limits.map(([name, limit]) => `--${name}=${limit ?? "unlimited"}:${limit ?? "unlimited"}`);
  return { ...wrapped, argv: [prlimit, ...options, "--", ...wrapped.argv] };
}

/** Returns the command without its limits: as it is, or behind the switch to its account. */
function accountCommand(order: TaskOrder, { cwd, far }: Whereabouts, setpriv: string | null): Wrapped | string {
  const dies = order.lease_ms !== null && setpriv !== null ? ["--pdeathsig", "KILL"] : [];
  if (order.account === null) {
    const begins = far ? ["/bin/sh", "-c", BEGIN, "sh", order.workdir ?? "", ...order.argv] : order.argv;
    const argv = dies.length === 0 ? begins : [setpriv ?? "", ...dies, "--", ...begins];
    return { argv, env: order.env, cwd: far ? "/" : cwd, tells: far };
  }
  if (setpriv === null) return "setpriv (util-linux) is not on this node, which needs it to switch accounts";
  const { uid, gid } = order.account;
  const names = Object.keys(order.env).filter((name) => IDENTIFIER.test(name));
  // Variables are passed under other names, since LD_PRELOAD and the like would take effect before the switch.
  const env = Object.fromEntries(names.map((name, i) => [`ORCH_HIDDEN_${i}`, order.env[name] ?? ""]));
  const restore = names.map((name, i) => `export ${name}="$ORCH_HIDDEN_${i}"; unset ORCH_HIDDEN_${i}`).join("\n");
  return {
    argv: [
      setpriv,
      `--reuid=${uid}`,
      `--regid=${gid}`,
      "--init-groups",
      ...dies,
      "--",
      "/bin/sh",
      "-c",
      `${restore}\n${BEGIN}`,
      "sh",
      order.workdir ?? "",
      ...order.argv,
    ],
    env,
    cwd: "/",
    tells: true,
  };
}
