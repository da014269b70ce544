// Keys of the contract that are not built yet. They are refused by name instead of ignored, and listed in the
// reference.

export interface PlannedKey {
  readonly key: string;
  /** `workload` means any of the kinds. */
  readonly where: "workload" | "service" | "job";
  readonly description: string;
  /** How to achieve the same today, or null. */
  readonly instead: string | null;
}

const any = (key: string, description: string, instead: string | null = null): PlannedKey => ({
  key,
  where: "workload",
  description,
  instead,
});
const only = (
  where: "service" | "job",
  key: string,
  description: string,
  instead: string | null = null,
): PlannedKey => ({ key, where, description, instead });

export const PLANNED: readonly PlannedKey[] = [
  any("image", "Container image to run in", "`run` or `command` start a process; it may be `podman run …`"),
  any("entrypoint", "Entrypoint of the container, as in Compose", "`command` holds program and arguments"),
  any("source", "Directory to snapshot at apply and run in", "`workdir` names a directory that the nodes have"),
  any("prepare", "Command that prepares a node once for a source", "a job, and `after` it"),
  any("secrets", "Secrets as variables or files", "a file that only the account on the node may read"),
  any(
    "volumes",
    "Named volumes and where they are mounted",
    "a directory of the node, `place.hosts`, and `exclusive: true`",
  ),
  any("data", "Data sets to fetch before the start", "a directory that the nodes have"),
  any("mounts", "Host paths to mount", "processes see the node's own paths"),
  any("logs", "How much output is kept"),
  only(
    "service",
    "health",
    "How to find out whether a replica is healthy",
    "a replica counts as up once it has run for a while",
  ),
  only(
    "service",
    "rollout",
    "How a new version replaces the old one",
    "replicas are replaced one at a time, the old one last",
  ),
  only(
    "service",
    "expose",
    "Name and port under which it is reached from outside, through a proxy",
    "`ports` opens one on the node, and `orch show APP.SERVICE` tells node and port",
  ),
  only("job", "schedule", "Times at which a run is made, as in cron", "cron and `orch run`"),
  only("job", "timezone", "Time zone of `schedule`"),
  only("job", "overlap", "What a schedule does while an earlier run is alive"),
  only(
    "job",
    "signal_before_end",
    "A signal some time before `time_limit`",
    "`stop.grace` is the time between signal and kill",
  ),
];

/** Returns the planned key of that name, or null. */
export const plannedKey = (key: string): PlannedKey | null => PLANNED.find((planned) => planned.key === key) ?? null;
