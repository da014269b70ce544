// A request for cards as it is typed on a command line: the spec file's text, or its object form in braces.

import { job } from "./schema/schema";
import { readDocument } from "./read/syntax";
import { readTree } from "./read/tree";
import { schemaAt } from "./schema/walk";

/** `{ share: 8GB }` becomes what the spec file would have there; anything else stays the text, and is judged as one. */
export function typedGpu(text: string): unknown {
  const schema = schemaAt(job, ["resources", "gpu"]);
  const read = text.trimStart().startsWith("{") ? readDocument(text) : null;
  if (schema === null || read === null || read.is === "invalid") return text;
  const { value, faults } = readTree(read.document, schema);
  return faults.length === 0 ? value : text;
}
