// What a mutant is: edits of source files, made while the files are loaded, so that production code contains no switch
// for it.

export interface Edit {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export interface Mutant {
  readonly name: string;
  /** The rule of protocol.md that it removes, or the invariant that it breaks. */
  readonly rule: string;
  /** Several edits where several places hold the rule. */
  readonly edits: readonly Edit[];
}

/** Returns the text of a file with the mutant's edits. */
export function mutated(mutant: Mutant, file: string, text: string): string {
  let result = text;
  for (const edit of mutant.edits) {
    if (edit.file !== file) continue;
    const parts = result.split(edit.find);
    if (parts.length !== 2) {
      throw new Error(`${mutant.name}: its text is found ${parts.length - 1} times in ${file}, not once`);
    }
    result = parts.join(edit.replace);
  }
  return result;
}

export const edit = (file: string, find: string, replace: string): Edit => ({ file, find, replace });
