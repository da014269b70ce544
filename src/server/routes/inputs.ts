// The route by which a person uploads what a run shall read from standard input: in parts, each within the bound of a
// body. A run then names the input by its hash.

import { z } from "zod";
import { HOUSE_LIMITS } from "../../core/limits";
import { formatBytes } from "../../core/format";
import { inputAnswer } from "../../wire/api/runs";
import { inputRef } from "../../wire/nouns";
import { RAW_BYTES } from "../http/body";
import { number } from "../http/query";
import { RefusedError } from "../refused";
import { requireRoom } from "../work/require-room";
import { route } from "./route";

export const INPUT_ROUTES = [
  route({
    method: "PUT",
    path: "/v1/inputs/{sha256}",
    body: RAW_BYTES,
    query: z.object({
      bytes: number.meta({ description: "the size of the whole", example: "$BYTES" }),
      offset: number.meta({ description: "where this part belongs", example: "0" }),
    }),
    answer: inputAnswer,
    summary:
      "Takes a part of the standard input of a run, at `offset` of `bytes`. The answer says how many are there; go " +
      "on from there. It is the caller's own, whoever else knows its hash",
    async handle({ api, params, query, body, who }): Promise<z.infer<typeof inputAnswer>> {
      const { bytes, offset } = query;
      if (bytes > HOUSE_LIMITS.input_bytes) {
        throw new RefusedError("too_large", `an input of a run has at most ${formatBytes(HOUSE_LIMITS.input_bytes)}`);
      }
      const read = inputRef.safeParse({ sha256: params.sha256, bytes });
      if (!read.success)
        throw new RefusedError("bad_request", "this is no SHA-256 in hex, or there are no bytes", null);
      requireRoom(api, who.name);
      return { received_bytes: await api.inputs.put(who.name, read.data, offset, body) };
    },
  }),
];
