// Flags as they were typed: checked as the command that gets them will check them, and put together again for its unit.

import { longName, type OptionDecl, type Options } from "../frame/command";

type Typed = string | boolean | readonly string[] | null;

/** The same options, which give back what was typed once it is known to be right. */
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

/** The words of a command line that say the same; options that are not among `options` are left out. */
export function argvOf(options: Options, flags: Readonly<Record<string, Typed>>): string[] {
  return Object.entries(options).flatMap(([key, option]) => {
    const value = flags[key] ?? null;
    const name = longName(option.flags);
    if (value === null || value === false) return [];
    if (value === true) return [name];
    return typeof value === "string" ? [name, value] : value.flatMap((one) => [name, one]);
  });
}
