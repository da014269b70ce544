// Flags as they were typed: checked as the installed command will check them, and put together again for its unit.

import { longName, type OptionDecl, type Options } from "../frame/command";

type Typed = string | boolean | readonly string[] | null;

/** Returns the same options, which check what was typed and return it unchanged. */
export function typedOptions<O extends Options>(options: O): { readonly [K in keyof O]: OptionDecl<Typed> } {
  const typed = Object.entries(options).map(([key, option]) => [
    key,
    {
      ...option,
      read: (raw: unknown): Typed => {
        option.read(raw);
        if (Array.isArray(raw)) return raw.map(String);
        return typeof raw === "string" || raw === true ? raw : null;
      },
    },
  ]);
  return Object.fromEntries(typed) as { readonly [K in keyof O]: OptionDecl<Typed> };
}

/** Returns the words of a command line that mean the same. Options that are not in `options` are left out. */
export function argvOf(options: Options, flags: Readonly<Record<string, Typed>>): string[] {
  return Object.entries(options).flatMap(([key, option]) => {
    const value = flags[key] ?? null;
    const name = longName(option.flags);
    if (value === null || value === false) return [];
    if (value === true) return [name];
    return typeof value === "string" ? [name, value] : value.flatMap((one) => [name, one]);
  });
}
