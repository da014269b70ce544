// Route for the elements of an array.

import { z } from "zod";
import { indexOf, sayArray } from "../../core/model/array";
import { elementsAnswer, ELEMENT_STATES } from "../../wire/api/arrays";
import { type Ended, number, page, pageOf } from "../http/query";
import { notFound } from "../refused";
import { elementAt, elementsOf } from "../views/elements";
import { requireRun } from "../work/resolve";
import { route } from "./route";

export const ELEMENT_ROUTES = [
  route({
    method: "GET",
    path: "/v1/runs/{run}/elements",
    answer: elementsAnswer,
    query: page.extend({
      state: z
        .enum(ELEMENT_STATES)
        .optional()
        .describe("only those in this state; `failed` are all that are over and have not succeeded"),
      slot: number.optional().describe("only the one with this number"),
    }),
    summary: "The elements of an array, by their numbers; none of a run that is no array",
    handle({ api, params, query, who }): z.infer<typeof elementsAnswer> {
      const run = requireRun(api.store, params.run, who);
      const { state, slot } = query;
      if (slot !== undefined && run.array !== null) {
        const index = indexOf(run.array, slot);
        if (index !== null) return { elements: [elementAt(api.store, run, index)], next: null };
        throw notFound(`run ${run.run} has no element ${slot}: they are ${sayArray(run.array)}`);
      }
      const found = (
        limit: number,
        after: string | null,
      ): Ended<z.infer<typeof elementsAnswer>["elements"][number]>[] =>
        elementsOf(api.store, run, { from: after === null ? 0 : Number(after) + 1, limit, state }).map(
          ({ index, view }) => ({ key: String(index), view }),
        );
      const { items, next } = pageOf(query, [], found, /^\d{1,7}$/);
      return { elements: items, next };
    },
  }),
];
