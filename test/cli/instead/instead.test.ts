// What the words and flags of other tools are answered with: every row of both tables, and lines as people type them.

import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { dispatch } from "../../../src/cli/dispatch";
import { UsageError } from "../../../src/cli/failure";
import { parseCommand } from "../../../src/cli/frame/parse";
import { insteadOf, insteadOfFlag } from "../../../src/cli/instead/instead";
import type { Instead } from "../../../src/cli/instead/line";
import { LOOKS } from "../../../src/cli/instead/looking";
import { OTHER_FLAGS } from "../../../src/cli/instead/other-flags";
import { SLURM_FLAGS } from "../../../src/cli/instead/slurm-flags";
import { OTHER_WORDS } from "../../../src/cli/instead/other-words";
import { TABLE } from "../../../src/cli/table";
import { goldenTests } from "../../support/golden";
import { scratchDir } from "../../support/scratch";
import { stage } from "../stage";

const WORDS = Object.values(OTHER_WORDS).flatMap((table) => Object.keys(table).map((typed) => typed.split(" ")));
const rowsOfWords = (): [string, Instead][] =>
  WORDS.flatMap((words) => [words, [...words, "x"]]).flatMap((argv) => {
    const instead = insteadOf(argv);
    return instead === null ? [] : [[argv.join(" "), instead] as [string, Instead]];
  });
const SAMPLES: Readonly<Record<string, string>> = {
  "--gres": "gpu:a100:2",
  "-v": "/a:/b",
  "--publish": "8080:80",
  "--export": "ALL,A=1",
  "--dependency": "afterok:3:4",
  "--mem": "4000",
  "-w": "/srv",
  "--nodelist": "box1",
  "--time": "90:00",
  "--gpus": "all",
  "--ulimit": "nofile=4096",
  "--label": "a=b",
  "-l": "a=b",
};
const rowsOfFlags = (): [string, Instead][] =>
  [...OTHER_FLAGS, ...SLURM_FLAGS].flatMap(({ typed, on, takesValue }) =>
    typed.flatMap((flag) =>
      (on === LOOKS ? ["ps"] : (on ?? ["ps"]))
        .filter((name) => name !== "submit")
        .flatMap((name) => {
          const argv = [flag, ...(takesValue ? [SAMPLES[flag] ?? "2"] : []), ...(name === "run" ? ["x"] : [])];
          const instead = insteadOfFlag(name, argv, name === "run", () => null, { user: null, now_ms: 0 });
          return instead === null ? [] : [[[name, ...argv].join(" "), instead] as [string, Instead]];
        }),
    ),
  );
const shown = (rows: readonly [string, Instead][]): string =>
  rows
    .map(([typed, { tool, why, line }]) => {
      const answer = [why, line === null ? null : `orch ${line}`].filter((one) => one !== null).join(" → ");
      return `${tool ?? "-"}: ${typed} → ${answer}`;
    })
    .join("\n");

describe("every word and flag of another tool", () => {
  goldenTests("test/golden/words", (_, name) => shown(name === "flags" ? rowsOfFlags() : rowsOfWords()));

  test("is answered by a command line that orch takes", async () => {
    const bad: string[] = [];
    for (const [typed, { line }] of [...rowsOfWords(), ...rowsOfFlags()]) {
      if (line === null) continue;
      const [own = ""] = line.split(" > ");
      const argv = (own.match(/'[^']*'|\S+/g) ?? []).map((word) => word.replaceAll("'", ""));
      const entry =
        TABLE.find(({ name }) => name === argv.slice(0, 2).join(" ")) ?? TABLE.find(({ name }) => name === argv[0]);
      if (entry === undefined) {
        bad.push(`${typed}: orch ${line}`);
        continue;
      }
      try {
        await parseCommand(entry.name, entry.about, await entry.load(), argv.slice(entry.name.split(" ").length));
      } catch (error) {
        if (!(error instanceof UsageError)) throw error;
        // A sample such as `2` fits no flag but some; a line whose flags are there is what is held here.
        if (/unknown option|too many|is missing/.test(error.message))
          bad.push(`${typed}: orch ${line}: ${error.message}`);
      }
    }
    expect(bad).toEqual([]);
  });
});

describe("a hint does no more than was asked", () => {
  /** What only looks, and what ends, holds or changes less than a whole app. */
  const HARMLESS = [
    ...["ps", "top", "logs", "images", "events", "config", "ls", "port", "version"].map((verb) => `compose ${verb}`),
    ...["ls", "logs", "inspect", "top", "stats", "diff"].map((verb) => `container ${verb}`),
    ...["ls", "ps", "logs", "inspect"].map((verb) => `service ${verb}`),
    ...["ls", "ps", "services", "config"].map((verb) => `stack ${verb}`),
    ...["history", "status", "pause", "resume", "undo"].map((verb) => `rollout ${verb}`),
    ...["pods", "all", "deployments", "svc", "nodes", "events", "cm", "ns"].map((kind) => `get ${kind}`),
    ...["pod", "deployment", "node", "secret"].map((kind) => `describe ${kind}`),
    ..."alloc status, alloc fs, job status, job history, job plan, node status, system df, swarm ca".split(", "),
    ..."compose pause, compose stop, compose rm, compose pull, compose build, container prune".split(", "),
    ..."stack foo, service update, service rm, pause, unpause, set image, patch, expose, proxy".split(", "),
    ..."port-forward, ingress, autoscale, cp, network ls, volume prune, image rm, rollback, history".split(", "),
    ..."delete pod, delete deployment, delete svc, delete ns, delete secret, edit secret, label pod".split(", "),
    ..."preview, simulate, dry-run, undo, su, df, set, kubectl run nginx --dry-run=client, get ingress".split(", "),
    ..."node inspect, node ps, diff, lint, check, status, list, inspect, stats, info, why".split(", "),
  ];
  test.each(HARMLESS.flatMap((line) => [line, `${line} x`]))("orch %s", async (line) => {
    const here = stage();
    expect(await dispatch(line.split(" "), here.host)).toBe(2);
    const hinted = /(?:Did you mean|Until then): orch (.*)$/m.exec(here.err())?.[1] ?? "ps";
    expect(LOOKS.filter((name) => hinted === name || hinted.startsWith(`${name} `))).not.toEqual([]);
  });

  test("whatever else is on the line", async () => {
    const acting = TABLE.map(({ name }) => name).filter((name) => !LOOKS.includes(name));
    const dry = ["--dry-run", "--dry-run=client", "--what-if"];
    const bad: string[] = [];
    for (const name of acting) {
      const entry = TABLE.find((one) => one.name === name);
      // A run is made of a command, and chosen by nothing.
      for (const flag of name === "run" || name === "submit" ? dry : [...dry, "--selector=a=b"]) {
        const here = stage();
        const code = await dispatch([...name.split(" "), flag, "-y", "x"], here.host);
        const hinted = /Did you mean: orch (\S+( \S+)?)/.exec(here.err())?.[1] ?? "plan";
        if (entry === undefined || code !== 2 || !LOOKS.some((one) => hinted.startsWith(one)))
          bad.push(`${name} ${flag}`);
      }
    }
    expect(bad).toEqual([]);
  });

  test("what looks is a command", () => {
    expect(LOOKS.filter((name) => !TABLE.some((entry) => entry.name === name))).toEqual([]);
  });
});

describe("what is typed first", () => {
  test.each([
    ["squeue --me", "squeue is Slurm's. Did you mean: orch ps --mine"],
    [
      "sbatch --gres=gpu:a100:2 -N2 -p gpu --mem=4000 -t 60 train.sh a",
      "sbatch is Slurm's. Did you mean: orch run -d --gpu a100:2 --nodes 2 --pool gpu --memory 4000MiB --time 60m " +
        "-- bash train.sh a",
    ],
    [
      "run --gpu 1 --gres gpu:2 -- python t.py -n 4",
      "--gres is Slurm's. Did you mean: orch run --gpu 2 -- python t.py -n 4",
    ],
    [
      "run --rm -v /a:/b python t.py",
      "--rm is docker's: nothing is left of a run but its record and its output; a process sees its node's own " +
        "directories. Did you mean: orch run -- python t.py",
    ],
    ["get pod/web", "get pod is kubectl's. Did you mean: orch show web"],
    ["delete -f app.yaml", "delete is kubectl's. Did you mean: orch rm <APP>"],
    ["ps -o json", "-o is kubectl's. Did you mean: orch ps --json"],
    ["nodes ls", "unknown command: nodes ls. Did you mean: orch nodes"],
    ["job run web.nomad", "job run is nomad's. Did you mean: orch apply -f web.nomad"],
    ["docker ps -a", "docker ps is docker's. Did you mean: orch ps -a"],
    ["kubectl get pods", "kubectl get is kubectl's. Did you mean: orch ps"],
    ["docker nonsense", "unknown command: docker. See: orch --help"],
    [
      "logs -n lab web --tail 5",
      "-n is kubectl's: a namespace is a project here, written before the name. " +
        "Did you mean: orch logs lab/web --tail 5",
    ],
    ["apply -f r1.yaml --dry-run=client", "--dry-run is kubectl's. Did you mean: orch plan -f r1.yaml"],
    ["apply -y -f r1.yaml --dry-run client --wait", "--dry-run is kubectl's. Did you mean: orch plan -f r1.yaml"],
    ["kubectl apply -f r1.yaml --dry-run=server", "--dry-run is kubectl's. Did you mean: orch plan -f r1.yaml"],
    ["docker compose --dry-run -f a.yaml up -d", "docker compose is docker's. Did you mean: orch plan -f a.yaml"],
    ["rm shop --dry-run=client", "--dry-run is kubectl's (nothing shows beforehand what orch rm would do)"],
    [
      "kubectl drain n1 --dry-run=client",
      "kubectl drain is kubectl's (nothing shows beforehand what orch node drain would do)",
    ],
    [
      "kubectl delete job -l app=x",
      "kubectl delete is kubectl's (nothing is done by a selector yet: orch ps and orch nodes have names)",
    ],
    ["destroy -target=a shop", "unknown command: destroy (-target=a has no counterpart)"],
    [
      "apply -f r1.yaml -n foo",
      "-n is kubectl's (a namespace is a project here, which the file names: `project: foo` at its top)",
    ],
    ["node update --availability drain n1", "node update is docker's. Did you mean: orch node drain n1"],
    ["docker node update --label-add a=b n1", "node update is docker's. Did you mean: orch node label n1 a=b"],
    [
      "nomad node eligibility -disable n1",
      "node eligibility is nomad's. Did you mean: orch node taint n1 cordoned:no_schedule",
    ],
    ["stack deploy -c r1.yaml roll", "stack deploy is docker's. Did you mean: orch apply -f r1.yaml"],
    ["delete app x", "delete app is kubectl's. Did you mean: orch rm x"],
    ["edit deployment a", "edit: not built yet. Until then: orch spec a > app.yaml; orch apply -f app.yaml"],
    ["edit deployment a.web", "edit: not built yet. Until then: orch spec a > app.yaml; orch apply -f app.yaml"],
    ["scale deployment shop.web --replicas=3", "--replicas is kubectl's. Did you mean: orch scale shop.web=3"],
    ["kill shop.web", "kill is docker's. Did you mean: orch scale shop.web=0"],
    ["kill sweep", "kill is docker's. Did you mean: orch cancel sweep"],
    ["start shop.web", "start is docker's. Did you mean: orch scale shop.web=1"],
    ["cordon n1", "cordon is kubectl's. Did you mean: orch node taint n1 cordoned:no_schedule"],
    ["uncordon n1", "uncordon is kubectl's. Did you mean: orch node taint n1 cordoned-"],
    ["scale deployment/shop.web --replicas=3", "--replicas is kubectl's. Did you mean: orch scale shop.web=3"],
    ["logs -n 2 shop.web", "-n is docker's. Did you mean: orch logs shop.web --tail 2"],
    ["edit shop", "edit: not built yet. Until then: orch spec shop > app.yaml; orch apply -f app.yaml"],
    [
      "stop shop",
      "shop: not NODE/TASK. To end an app: orch rm shop; one service of it: orch scale shop.SERVICE=0; " +
        "a run: orch cancel shop. Unknown tasks of a node: orch node show NODE",
    ],
    ["top", "top: not built yet. Until then: orch ps"],
    ["run -t 1:00:00 -- x", "-t is Slurm's. Did you mean: orch run --time 1:00:00 -- x"],
    ["run -c 4 -- x", "-c is Slurm's. Did you mean: orch run --cpu 4 -- x"],
    [
      "run -d -q --array 0-1 -- true",
      "-q is Slurm's: a qos has no counterpart: --pool names nodes, --priority orders runs. " +
        "Did you mean: orch run -d --array 0-1 -- true",
    ],
    ["run -d -t 10 ./job.sh", "-t is Slurm's. Did you mean: orch run -d --time 10m -- ./job.sh"],
    [
      "run -d -n 4 --mem 4G x -n 2",
      "-n is Slurm's: a run is one process, which starts 4 tasks on all their cores; --nodes 4 is so many " +
        "machines. Did you mean: orch run -d --memory 4G --cpu 4 -- x -n 2",
    ],
    [
      "sbatch -N2 --ntasks-per-node=4 -c 2 --mem-per-cpu=2G a.sh",
      "sbatch is Slurm's: a run is one process on each node, which starts more. " +
        "Did you mean: orch run -d --nodes 2 --cpu 8 --memory 16G -- bash a.sh",
    ],
    ["srun -N1 -n1 hostname", "srun is Slurm's. Did you mean: orch run -- hostname"],
    [
      "sbatch --dependency=afternotok:33,afterany:4:5,singleton a.sh",
      "sbatch is Slurm's: singleton has no counterpart. " +
        "Did you mean: orch run -d --after-failed 33 --after-any 4 --after-any 5 -- bash a.sh",
    ],
    [
      "sbatch -e err.txt --array=0-9 --foo --export=FOO,X=1 a.sh",
      "sbatch is Slurm's: all output is kept: orch logs; " +
        "--foo has no counterpart. Did you mean: orch run -d --array 0-9 --env FOO --env X=1 -- bash a.sh",
    ],
    ["sbatch --wrap=a.py", "sbatch is Slurm's. Did you mean: orch run -d -c a.py"],
    [
      "sbatch -x box3,box4 a.sh",
      "sbatch is Slurm's. Did you mean: orch run -d --where 'node notin (box3,box4)' -- bash a.sh",
    ],
    ["sbatch --gres=gpu:2 -C a100 a.sh", "sbatch is Slurm's. Did you mean: orch run -d --gpu a100:2 -- bash a.sh"],
    [
      "srun --gres=shard:2 x",
      "srun is Slurm's: a share of a card is asked for by its memory: --gpu '{ share: 8GB }'. " +
        "Did you mean: orch run -- x",
    ],
    ["srun --jobid 5 --overlap --pty bash", "srun is Slurm's (going into a run that runs is not built yet)"],
    [
      "scancel --signal=USR1 5",
      "scancel is Slurm's (a signal that does not end a run is not built yet: orch cancel ends it)",
    ],
    [
      "scancel -t PENDING",
      "scancel is Slurm's (orch queue and orch ps show which runs those are; orch cancel takes their numbers)",
    ],
    [
      "scancel -u root",
      "scancel is Slurm's (orch cancel takes the numbers of runs: orch runs --user root lists them; " +
        "--mine is one's own)",
    ],
    ["scancel -n sweep", "scancel is Slurm's. Did you mean: orch cancel sweep"],
    ["squeue -j 33", "squeue is Slurm's. Did you mean: orch ps 33"],
    ["sacct -j 5", "sacct is Slurm's. Did you mean: orch show 5"],
    ["squeue -t PD", "squeue is Slurm's. Did you mean: orch queue"],
    [
      "scontrol update NodeName=box3 State=DRAIN Reason=fan",
      "scontrol update is Slurm's. Did you mean: orch node drain box3 --reason fan",
    ],
    [
      "scontrol update NodeName=box3,box4 State=RESUME",
      "scontrol update is Slurm's. Did you mean: orch node resume box3 box4",
    ],
    [
      "scontrol hold 5",
      "scontrol hold is Slurm's (holding runs is not built yet; a run waits for another one with --after)",
    ],
    ["module load cuda", "module load is the shell's. Did you mean: orch run --login -c 'module load cuda && CMD'"],
    [
      "run -- module load cuda",
      "module load is the shell's. Did you mean: orch run --login -c 'module load cuda && CMD'",
    ],
    [
      "run --gpu 1 conda activate ml",
      "conda activate is the shell's. Activate it here, and a run takes it along; or name its directory: " +
        "orch run --activate conda=DIR -- CMD",
    ],
    ["label a b c k=v", "label is kubectl's. Did you mean: orch node label a b c k=v"],
    [
      "retry --from failed",
      "--from: not built yet. Arrays are not built yet, so a run has no parts that failed: " +
        "orch retry RUN runs all of it again",
    ],
    ["run -w box[1-3] x", "-w is Slurm's. Did you mean: orch run --host box1,box2,box3 -- x"],
    [
      "sbatch -x n[08-10,12],gpu2 a.sh",
      "sbatch is Slurm's. Did you mean: orch run -d --where 'node notin (n08,n09,n10,n12,gpu2)' -- bash a.sh",
    ],
    [
      "scontrol update NodeName=box[3-4] State=RESUME",
      "scontrol update is Slurm's. Did you mean: orch node resume box3 box4",
    ],
    ["squeue -u root", "squeue is Slurm's. Did you mean: orch ps --user root"],
    [
      "logs -n ns pod/x",
      "-n is kubectl's: a namespace is a project here, written before the name. Did you mean: orch logs ns/x",
    ],
    [
      "kubectl logs -n ns pod/x",
      "-n is kubectl's: a namespace is a project here, written before the name. Did you mean: orch logs ns/x",
    ],
    [
      "kubectl -n ns describe deploy/x",
      "kubectl describe is kubectl's: a namespace is a project here, written before the name. " +
        "Did you mean: orch show ns/x",
    ],
    [
      "exec -it x bash",
      "exec: not built yet. Beside a task runs what is asked for there: orch run --host NODE -- CMD; " +
        "orch show TASK has its node",
    ],
    [
      "docker exec -it x bash",
      "exec: not built yet. Beside a task runs what is asked for there: orch run --host NODE -- CMD; " +
        "orch show TASK has its node",
    ],
    ["attach 5", "attach: not built yet. Until then: orch logs -f 5"],
    ["images", "images is docker's. Images are not built yet; a command may be `podman …`"],
    [
      "pull 5",
      "pull: not built yet. What a run wrote is in its directory on its node, which orch show RUN names; " +
        "nor are images built yet",
    ],
    [
      "docker run --rm -it ubuntu bash",
      "docker run is docker's. Images are not built yet, and a process has its node's files and network: " +
        "orch run -- CMD",
    ],
    ["docker compose up -d web", "docker compose is docker's. Did you mean: orch apply -f <FILE>"],
    ["docker-compose -f a.yaml up -d", "docker compose is docker's. Did you mean: orch apply -f a.yaml"],
    [
      "docker compose down",
      "docker compose is docker's. To end all of an app: orch rm APP; one service of it: orch scale APP.SERVICE=0",
    ],
    ["kubectl apply -f a.yaml", "kubectl apply is kubectl's. Did you mean: orch apply -f a.yaml"],
    ["kubectl get pods -A -o wide", "kubectl get is kubectl's: lists show every project. Did you mean: orch ps"],
    [
      "hold 5",
      "hold: not built yet. A run waits for another one with --after, or is cancelled and made anew: orch retry RUN",
    ],
    ["rerun 33", "unknown command: rerun. Did you mean: orch retry 33"],
    ["run 33", "33 is the number of a run. Run it again: orch retry 33; if it is a program: orch run -- ./33"],
    ["submit 33", "33 is the number of a run. Run it again: orch retry 33"],
  ])("orch %s", async (line, said) => {
    const here = stage();
    expect(await dispatch(line.split(" "), here.host)).toBe(2);
    expect(here.err()).toBe(`orch: ${said}\n`);
  });

  test("sbatch and submit read the options of the script", async () => {
    const dir = scratchDir("batch");
    const lines = [
      "#!/bin/bash",
      "#SBATCH --job-name='my job' # a note",
      "# a comment",
      "#SBATCH --gres=gpu:1 -t 10",
      "",
    ];
    writeFileSync(join(dir, "train.sh"), [...lines, "#SBATCH --mem=1G", "echo", "#SBATCH -N 9", ""].join("\n"));
    writeFileSync(join(dir, "data.txt"), "#SBATCH -N 9\n");
    const until = "orch run -d --name my-job --gpu 1 --time 10m --memory 1G -- bash -s a < train.sh";
    const why = "my job: names are lower-case letters, digits and dashes";
    for (const [typed, said] of [
      ["sbatch train.sh a", `sbatch is Slurm's: ${why}. Did you mean: ${until}`],
      [
        "submit train.sh a",
        `train.sh: scripts are not submitted yet, only jobs of apps (${why}). Until then: ${until}`,
      ],
      ["sbatch data.txt", "sbatch is Slurm's. Did you mean: orch run -d -- bash -s < data.txt"],
      ["sbatch nowhere.sh", "sbatch is Slurm's. Did you mean: orch run -d -- bash nowhere.sh"],
    ] as const) {
      const here = stage({ cwd: dir });
      expect(await dispatch(typed.split(" "), here.host)).toBe(2);
      expect(here.err()).toBe(`orch: ${said}\n`);
    }
  });
});
