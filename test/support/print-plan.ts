// Prints a plan as text, for golden files and failing tests: one line per operation, one block per slot that waits.

import { formatBytes, formatCpu, formatDuration } from "../../src/core/format";
import type { Promised } from "../../src/core/model/promised";
import type { Blocked, Op, Plan, Snapshot } from "../../src/core/pass/snapshot";
import { taskName } from "../../src/core/model/task";

export function printPlan(plan: Plan, snapshot: Snapshot): string {
  const nodeName = (id: string): string => snapshot.state.nodes.get(id)?.name ?? id;
  const lines = plan.ops.map((op) => printOp(op, nodeName));
  for (const each of plan.blocked) lines.push(...printBlocked(each));
  if (plan.wake_at_ms !== null) lines.push(`wake in ${formatDuration(plan.wake_at_ms - snapshot.now_ms)}`);
  if (plan.more) lines.push("more");
  for (const notice of plan.notices) lines.push(`notice: ${notice}`);
  return `${lines.join("\n")}\n`;
}

function printOp(op: Op, nodeName: (id: string) => string): string {
  switch (op.op) {
    case "place": {
      const hold = op.task.desired === "prepare" ? "prepare" : "place";
      const granted = op.task.grant_until > op.task.attempt ? `, granted to #${op.task.grant_until}` : "";
      const promised = printPromised(op.task.promised) + granted;
      return `${hold} ${taskName(op.task)} on ${nodeName(op.task.node_id)} (${promised}): ${op.why}`;
    }
    case "go":
    case "stop":
    case "write_off":
    case "lose":
    case "notify":
      return `${op.op} ${taskName(op.task)} v${op.task.version} on ${nodeName(op.task.node_id)}: ${op.why}`;
    case "node":
      return `node ${op.node.name} is ${op.node.contact}: ${op.why}`;
    case "quarantine":
      return `quarantine ${op.node.name}: ${op.why}`;
    case "run": {
      const code = op.run.exit_code === null ? "" : `, exit code ${op.run.exit_code}`;
      return `run ${op.run.run} ${op.run.state}${code}: ${op.why}`;
    }
    case "elements":
      return `elements of ${op.pages.length} pages: ${op.why}`;
    case "archive":
      return `archive run ${op.run.run}: ${op.why}`;
    case "remove":
      return `remove ${op.what} ${op.name}: ${op.why}`;
    case "port":
      return `free port ${op.key}: ${op.why}`;
  }
}

function printPromised(promised: Promised): string {
  const parts = [
    `cpu ${formatCpu(promised.cpu_milli)}`,
    `memory ${formatBytes(promised.memory_bytes)}${promised.memory_limited ? "" : " soft"}`,
  ];
  for (const [name, count] of Object.entries(promised.countables)) parts.push(`${name} ${count}`);
  for (const { id, bytes } of promised.devices) parts.push(bytes === null ? id : `${formatBytes(bytes)} of ${id}`);
  for (const port of promised.ports)
    parts.push(`${port.name} ${port.published}${port.bind === "loopback" ? " loopback" : ""}`);
  return parts.join(", ");
}

function printBlocked(blocked: Blocked): string[] {
  const lines = [`${blocked.kind} ${blocked.name}: ${blocked.summary}`];
  for (const { node, checks } of blocked.nodes) {
    const text = checks.map(({ check, detail, hopeless }) => `${check}${hopeless ? "!" : ""} ${detail}`).join("; ");
    lines.push(`  ${node}: ${text === "" ? "fits" : text}`);
  }
  if (blocked.smallest_change !== null) lines.push(`  smallest change: ${blocked.smallest_change}`);
  return lines;
}
