// Slurm's lists of hosts: `box[1-3,7],gpu2` names box1, box2, box3, box7 and gpu2.

/** The most nodes that a list names. A longer one is kept as it is, and refused where names are checked. */
const MOST = 256;

/** Returns the names in a list. A range keeps the zeros in front: `n[08-10]` is n08, n09, n10. */
export function hostsIn(text: string): string[] {
  const names = text.split(/,(?![^[]*\])/).flatMap((one) => {
    const [, head = "", ranges, tail = ""] = /^([^[]*)\[([\d,-]+)\]([^[]*)$/.exec(one.trim()) ?? [];
    const numbers = ranges === undefined ? [] : numbersIn(ranges);
    return numbers.length === 0 ? [one.trim()] : numbers.map((number) => `${head}${number}${tail}`);
  });
  return names.length > MOST ? [text] : names;
}

export function numbersIn(ranges: string): string[] {
  return ranges.split(",").flatMap((range) => {
    const [first = "", last = first] = range.split("-");
    const count = Math.min(Number(last) - Number(first), MOST) + 1;
    return count < 1
      ? []
      : Array.from({ length: count }, (_, n) => String(Number(first) + n).padStart(first.length, "0"));
  });
}
