// Every variable that a task finds in its environment: one table, from which the code that sets them takes their names
// and the reference its page. A variable that is not here cannot be set.

/** When a variable is there: in every task, or only under a condition, in words. */
type When = "always" | (string & {});

interface Variable {
  readonly when: When;
  readonly means: string;
}

/** The variables by name. `<NAME>` stands for the name of a port or a workload, in capitals and with `_` for `-`. */
export const VARIABLES = {
  ORCH_APP: { when: "always", means: "The app; empty for a run that is in none" },
  ORCH_WORKLOAD: { when: "always", means: "The workload, or the name of the run" },
  ORCH_VERSION: { when: "always", means: "The version of the workload" },
  ORCH_RUN: { when: "always", means: "The number of the run; empty for services and daemons" },
  ORCH_SLOT: {
    when: "always",
    means:
      "The number of the array's element; else of the replica or of the gang's member, from 0. A service that was " +
      "scaled down may lack numbers below its highest, which come back first; an `exclusive` one always has 0 to N - 1",
  },
  ORCH_ATTEMPT: { when: "always", means: "Which attempt of the slot this is, or of the array's element, from 1" },
  ORCH_TASK: { when: "always", means: "The task's short id. All its processes are known by it, so leave it as it is" },
  ORCH_NODE: { when: "always", means: "The name of the node" },
  ORCH_PROJECT: { when: "always", means: "The project" },
  ORCH_USER: { when: "always", means: "Whose task it is" },
  "PORT_<NAME>": { when: "for each of its ports", means: "The port to listen on" },
  "ORCH_ADDR_<WORKLOAD>": {
    when: "for each workload of its app that has ports",
    means:
      "Where its running replicas are reached, as `host:port,host:port` of its first port, as it was when this task " +
      "was told to start; empty if none ran",
  },
  "ORCH_ADDR_<WORKLOAD>_<NAME>": {
    when: "the same, where the workload has several ports",
    means: "The same of the port of this name",
  },
  ORCH_GANG_SIZE: { when: "in a gang", means: "How many members it has" },
  ORCH_GANG_RANK: { when: "in a gang", means: "Which member this is, from 0" },
  ORCH_GANG_NODES: { when: "in a gang", means: "The members' nodes in the order of their ranks, separated by commas" },
  ORCH_GANG_ADDRESSES: { when: "in a gang", means: "The addresses of those nodes, likewise" },
  CUDA_VISIBLE_DEVICES: {
    when: "always",
    means: "Its NVIDIA cards: indices in the order of `CUDA_DEVICE_ORDER`, or UUIDs; empty without one",
  },
  CUDA_DEVICE_ORDER: { when: "always", means: "`PCI_BUS_ID`, the order in which those indices count" },
  NVIDIA_VISIBLE_DEVICES: { when: "always", means: "The UUIDs of its NVIDIA cards, or `void`, for containers" },
  ROCR_VISIBLE_DEVICES: { when: "always", means: "Its AMD cards by index; empty without one" },
  ZE_AFFINITY_MASK: { when: "always", means: "Its Intel cards by index; empty without one" },
  ZE_ENABLE_PCI_ID_DEVICE_ORDER: { when: "with an Intel card", means: "`1`: those indices count by bus" },
  ORCH_GPU_UUIDS: { when: "always", means: "The ids of all its cards, separated by commas" },
  CUDA_MPS_PIPE_DIRECTORY: { when: "with a share of a card under MPS", means: "Where MPS answers" },
  CUDA_MPS_PINNED_DEVICE_MEM_LIMIT: { when: "with a share of a card under MPS", means: "How much of each card it has" },
  VIRTUAL_ENV: { when: "with `activate: { venv: … }`", means: "The virtual environment" },
  CONDA_PREFIX: { when: "with `activate: { conda: … }`", means: "The conda environment" },
  CONDA_DEFAULT_ENV: { when: "with `activate: { conda: … }`", means: "Its name" },
  PATH: { when: "always", means: "The system's directories of programs, after those of an active environment" },
  HOME: { when: "always", means: "The home of its account on this node" },
  USER: { when: "always", means: "The name of its account" },
  LOGNAME: { when: "always", means: "The same" },
  SHELL: { when: "always", means: "The login shell of its account" },
  LANG: { when: "always", means: "`C.UTF-8`" },
} as const satisfies Readonly<Record<string, Variable>>;

type Key = keyof typeof VARIABLES;

/** The names of the variables in the table, with any text where the table has a placeholder. */
export type VariableName = Key extends infer K ? (K extends `${infer Head}<${string}` ? `${Head}${string}` : K) : never;

/** Variables of the table and their values. */
export type Variables = { readonly [N in VariableName]?: string };

/** Returns the key of the table under which a name falls, or null: `PORT_<NAME>` for `PORT_HTTP`. */
export function variableOf(name: string): Key | null {
  const keys = Object.keys(VARIABLES) as Key[];
  const exact = keys.find((key) => key === name);
  return exact ?? keys.find((key) => key.includes("<") && name.startsWith(key.slice(0, key.indexOf("<")))) ?? null;
}

/** Returns the part of a variable's name that stands for the name of a port or a workload. */
export const inVariable = (name: string): string => name.toUpperCase().replaceAll("-", "_");
