// All routes. The app answers them, the OpenAPI document describes them, and the access table must name each.

import { z } from "zod";
import { openApi } from "./openapi";
import { route, type Route } from "./route";
import { APP_ROUTES } from "./apps";
import { DEVICE_ROUTES } from "./devices";
import { ELEMENT_ROUTES } from "./elements";
import { EVENT_ROUTES } from "./events";
import { EXPLAIN_ROUTES } from "./explain";
import { INPUT_ROUTES } from "./inputs";
import { LOG_ROUTES } from "./logs";
import { NAME_ROUTES } from "./names";
import { NODE_ROUTES } from "./nodes";
import { OPEN_ROUTES } from "./open";
import { ORPHAN_ROUTES } from "./orphans";
import { PLAN_ROUTES } from "./plan";
import { RUN_ROUTES } from "./runs";
import { TASK_ROUTES } from "./tasks";
import { TOKEN_ROUTES } from "./tokens";
import { USER_ROUTES } from "./users";
import { WORKLOAD_ROUTES } from "./workloads";

let document: Record<string, unknown> | null = null;

const OPENAPI = route({
  method: "GET",
  path: "/v1/openapi.json",
  answer: z.record(z.string(), z.unknown()),
  summary: "This description",
  handle: ({ api }) => (document ??= openApi(ROUTES, api.version)),
});

export const ROUTES: readonly Route[] = [
  ...OPEN_ROUTES,
  OPENAPI,
  ...TOKEN_ROUTES,
  ...USER_ROUTES,
  ...APP_ROUTES,
  ...PLAN_ROUTES,
  ...WORKLOAD_ROUTES,
  ...TASK_ROUTES,
  ...LOG_ROUTES,
  ...RUN_ROUTES,
  ...ELEMENT_ROUTES,
  ...NAME_ROUTES,
  ...INPUT_ROUTES,
  ...NODE_ROUTES,
  ...ORPHAN_ROUTES,
  ...DEVICE_ROUTES,
  ...EVENT_ROUTES,
  ...EXPLAIN_ROUTES,
];
