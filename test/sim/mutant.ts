// What a deliberate bug is: edits of source files, made as the files are loaded, so that production code has no switch
// for it.

export interface Edit {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export interface Mutant {
  readonly name: string;
  /** The rule of protocol.md that it takes out, or the invariant that it breaks. */
  readonly rule: string;
  /** More than one where a rule is held in more than one place. */
  readonly edits: readonly Edit[];
}

/** The text of a file of a mutant with its edits made. */
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
