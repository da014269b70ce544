// Golden plans: each file is a cluster, a line, and the plan as printed; planning again at once must give nothing.

import { describe } from "bun:test";
import { withChanges } from "../../../src/core/plan/changes";
import { plan } from "../../../src/core/plan/plan";
import { parseCluster } from "../../support/cluster-text";
import { goldenTests } from "../../support/golden";
import { printPlan } from "../../support/print-plan";

describe("plans", () => {
  goldenTests("test/golden/plan", (input) => {
    const { state, snapshot } = parseCluster(input);
    const planned = plan(snapshot);
    const again = plan({ ...snapshot, state: withChanges(state, planned.changes) });
    const more = again.ops.length === 0 ? "" : `planned again:\n${printPlan(again, snapshot)}`;
    return printPlan(planned, snapshot) + more;
  });
});
