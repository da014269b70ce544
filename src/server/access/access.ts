// The access table: the roles that may call each route. A route that the table lacks is denied to everybody, and fails
// the tests.

import type { Role } from "../../core/model/rows-state";
import { type Principal, RANK } from "./auth";
import { RefusedError } from "../refused";

export type Access =
  /** Anybody. Agents prove their identity within their connection. */
  | { readonly is: "open" }
  /**
   * People of these roles. `own`: users may call the route only for things of their own or their project; operators and
   * admins for all things.
   */
  | { readonly is: "roles"; readonly roles: readonly Role[]; readonly scope: "all" | "own" };

const OPEN: Access = { is: "open" };
const allow = (scope: "all" | "own", ...roles: Role[]): Access => ({ is: "roles", roles, scope });

const PEOPLE = allow("all", "admin", "operator", "user", "viewer");
const WORKERS = allow("all", "admin", "operator", "user");
const OWNERS = allow("own", "admin", "operator", "user");
const OPERATORS = allow("all", "admin", "operator");
const ADMINS = allow("all", "admin");

export const ACCESS: Readonly<Record<string, Access>> = {
  "GET /v1/health": OPEN,
  "GET /v1/bootstrap/cert": OPEN,
  "GET /v1/agent": OPEN,
  "POST /v1/join": allow("all", "agent"),
  "GET /v1/openapi.json": PEOPLE,
  "GET /v1/me": PEOPLE,
  "GET /v1/apps": PEOPLE,
  "GET /v1/apps/{project}/{app}": PEOPLE,
  "PUT /v1/apps/{project}/{app}": OWNERS,
  "DELETE /v1/apps/{project}/{app}": OWNERS,
  "POST /v1/validate": WORKERS,
  "POST /v1/plan": OWNERS,
  "GET /v1/workloads/{project}/{app}/{workload}": PEOPLE,
  "POST /v1/workloads/{project}/{app}/{workload}/scale": OWNERS,
  "POST /v1/workloads/{project}/{app}/{workload}/restart": OWNERS,
  "POST /v1/workloads/{project}/{app}/{job}/run": OWNERS,
  "GET /v1/tasks": PEOPLE,
  "GET /v1/tasks/{ref}": PEOPLE,
  "GET /v1/tasks/{ref}/logs": OWNERS,
  "POST /v1/runs": OWNERS,
  "GET /v1/runs": PEOPLE,
  "PUT /v1/inputs/{sha256}": WORKERS,
  "GET /v1/runs/{run}": PEOPLE,
  "GET /v1/runs/{run}/elements": PEOPLE,
  "POST /v1/runs/{run}/cancel": OWNERS,
  "POST /v1/runs/{run}/retry": OWNERS,
  "POST /v1/runs/{run}/settle": OWNERS,
  "GET /v1/names/{ref}": PEOPLE,
  "GET /v1/nodes": PEOPLE,
  "GET /v1/nodes/{node}": PEOPLE,
  "GET /v1/nodes/{node}/drain": PEOPLE,
  "POST /v1/nodes/{node}/drain": OPERATORS,
  "POST /v1/nodes/{node}/resume": OPERATORS,
  "GET /v1/nodes/{node}/tests": PEOPLE,
  "POST /v1/nodes/{node}/test": OPERATORS,
  "POST /v1/nodes/{node}/label": OPERATORS,
  "POST /v1/nodes/{node}/taint": OPERATORS,
  "POST /v1/nodes/{node}/forget": OPERATORS,
  "POST /v1/nodes/{node}/approve": OPERATORS,
  "POST /v1/nodes/{node}/refuse": OPERATORS,
  "POST /v1/nodes/{node}/orphans/{uid}/stop": OPERATORS,
  "POST /v1/nodes/{node}/orphans/{uid}/adopt": OPERATORS,
  "GET /v1/devices": PEOPLE,
  "GET /v1/devices/{device}": PEOPLE,
  "GET /v1/events": PEOPLE,
  "GET /v1/watch": PEOPLE,
  "GET /v1/explain/{ref}": PEOPLE,
  "POST /v1/tokens": WORKERS,
  "GET /v1/tokens": WORKERS,
  "DELETE /v1/tokens/{id}": WORKERS,
  "POST /v1/users": ADMINS,
  "GET /v1/users": OPERATORS,
  "DELETE /v1/users/{name}": ADMINS,
  "POST /v1/users/{name}/accounts": ADMINS,
};

/** Returns whether this role may call the route at all. An unknown route is denied. */
export function mayCall(route: string, role: Role): boolean {
  const access = Object.hasOwn(ACCESS, route) ? ACCESS[route] : undefined;
  return access !== undefined && (access.is === "open" || access.roles.includes(role));
}

/** A thing that belongs to a project, and perhaps to a person of the project. */
export interface Owned {
  readonly project: string;
  readonly user?: string;
}

/** Returns whether the caller may change a thing and see its inside (logs, environment). States are visible to all. */
export function mayTouch(who: Principal, thing: Owned): boolean {
  if (who.role === "admin" || who.role === "operator") return true;
  return who.role === "user" && (who.project === thing.project || who.name === thing.user);
}

export function requireTouch(who: Principal, thing: Owned, what: string): void {
  if (mayTouch(who, thing)) return;
  throw new RefusedError(
    "forbidden",
    `${what} belongs to project ${thing.project}, and ${who.name} is not of it`,
    "Ask an operator, or somebody of that project",
  );
}

/** Returns whether a caller of role `mine` may hand out `role`. Operators may let agents in. */
export const mayGrant = (mine: Role, role: Role): boolean =>
  role === "agent" ? RANK[mine] >= RANK.operator : RANK[role] <= RANK[mine];
