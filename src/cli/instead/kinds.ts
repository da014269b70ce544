// What Kubernetes calls the kinds of things, as in `get deployments` and `pod/web`.

/** Kinds that have no counterpart here. */
const NO_KINDS =
  "cm configmaps secret secrets ns namespace namespaces pv pvc persistentvolume persistentvolumeclaim " +
  "ing ingress ingresses hpa sa serviceaccount serviceaccounts role rolebinding clusterrole crd " +
  "quota resourcequota limitrange pdb";

/** The spellings, each with the one that the table of words has. */
export const KINDS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(NO_KINDS.split(" ").map((kind) => [kind, "configmap"])),
  apps: "app",
  po: "pod",
  pods: "pod",
  deploy: "deployment",
  deployments: "deployment",
  "deployment.apps": "deployment",
  rs: "deployment",
  replicaset: "deployment",
  sts: "deployment",
  statefulset: "deployment",
  svc: "service",
  services: "service",
  ds: "daemonset",
  daemonsets: "daemonset",
  jobs: "job",
  "job.batch": "job",
  no: "node",
  nodes: "node",
  events: "event",
  ev: "event",
};

/** A kind and a name in one word. What has no counterpart is not read so, since a project may be called `ns`. */
export const KIND = new RegExp(
  `^(${Object.entries(KINDS)
    .filter(([, kind]) => kind !== "configmap" && kind !== "app")
    .flat()
    .join("|")
    .replaceAll(".", "\\.")})/(.+)$`,
);

/** Returns a name without the kind that Kubernetes writes before it, as in `pod/web`, or null if it has none. */
export const withoutKind = (word: string): string | null => KIND.exec(word)?.[2] ?? null;

const isKind = (word: string): boolean => Object.hasOwn(KINDS, word) || Object.values(KINDS).includes(word);

/** Returns the names without the kind that stands before them in a word of its own, as in `deployment web`. */
export const withoutKindBefore = (names: readonly string[]): readonly string[] =>
  names.length > 1 && isKind(names[0] ?? "") ? names.slice(1) : names;
