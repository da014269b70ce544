// The control group of one place of a batch, below that of the batch. One element after the other runs in it, so what
// each of them needs of it is open.

import { makeGroup, oomKillsIn, openOomKills, removeGroup } from "../../os/cgroup/group";
import type { Cgroups, Group } from "../../os/cgroup/hierarchy";
import type { GroupLimits } from "../../os/cgroup/limits";
import { closeFile } from "../../os/files/files";
import type { Say } from "../../os/log";
import { removeLater } from "./clear";

export class PlaceGroup {
  /** The directories in which elements run; none without control groups. */
  readonly all: Group;
  readonly #own: Group;
  readonly #cgroups: Cgroups;
  /** What counts the kills for memory in it, and how many it had when that was asked for. */
  readonly #kills: number | null;
  #killed = 0;

  /** Makes the group `TASK/PLACE` with the limits of one element, below the group of its task. */
  constructor(cgroups: Cgroups, task: Group, name: string, limits: GroupLimits) {
    this.#cgroups = cgroups;
    this.#own = makeGroup(cgroups, name, limits);
    // Where devices are kept from the task, a directory of its own does that.
    this.all = [...this.#own, ...task.slice(this.#own.length)];
    this.#kills = openOomKills(this.#own);
  }

  /** Returns whether processes were killed because memory ran out, since this was asked for last. */
  wasShort(): boolean {
    if (this.#kills === null) return false;
    const before = this.#killed;
    this.#killed = oomKillsIn(this.#kills);
    return this.#killed > before;
  }

  /** Removes the group, in which nothing lives. Returns whether that was possible. */
  async remove(say: Say): Promise<boolean> {
    if (this.#kills !== null) closeFile(this.#kills);
    return removeGroup(this.#own) || removeLater(this.#own, this.#cgroups, say);
  }
}
