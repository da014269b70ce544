// Route that says what a typed name means, so that every command resolves names by the server's one rule.

import { z } from "zod";
import { NAME_KINDS, type NameKind, namesAnswer } from "../../wire/api/names";
import { RefusedError } from "../refused";
import { flag, short } from "../http/query";
import { nameView } from "../work/named";
import { fitting, resolve } from "../work/resolve";
import { route } from "./route";

const query = z.object({
  kinds: short.optional().describe(`only what is one of these, with commas between: ${NAME_KINDS.join(", ")}`),
  several: flag.optional().describe("all that fit, where the name is several things"),
  own: flag.optional().describe("what is another project's only where its project is written before it"),
});

export const NAME_ROUTES = [
  route({
    method: "GET",
    path: "/v1/names/{ref}",
    query,
    answer: namesAnswer,
    summary:
      "What a name means: a run, a task, a workload, an app, a node or a card. A name that is several things is " +
      "refused with `conflict`, unless `several` asks for all",
    handle({ api, params, query: wish, who }): z.infer<typeof namesAnswer> {
      const asked = { name: who.name, project: who.project, kinds: kindsOf(wish.kinds), own: wish.own };
      const found =
        wish.several === true ? fitting(api.store, params.ref, asked) : [resolve(api.store, params.ref, asked)];
      return { names: found.map(nameView) };
    },
  }),
];

function kindsOf(text: string | undefined): readonly NameKind[] {
  if (text === undefined) return NAME_KINDS;
  return text.split(",").map((typed) => {
    const kind = NAME_KINDS.find((one) => one === typed);
    if (kind === undefined)
      throw new RefusedError("bad_request", `kinds: ${typed} is none of ${NAME_KINDS.join(", ")}`);
    return kind;
  });
}
