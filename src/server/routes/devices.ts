// Routes for the cards of all nodes, with promises and readings.

import { compareText } from "../../core/canonical";
import type { State } from "../../core/model/rows-state";
import { list } from "../../wire/api/answers";
import { type GpuView, gpuView } from "../../wire/api/devices";
import type { Api } from "./api";
import { notFound } from "../refused";
import { page, pageOf } from "../http/query";
import { resolve } from "../work/resolve";
import { route } from "./route";
import { gpuViews } from "../views/gpu";
import { tasksByNode } from "../views/node";

export const DEVICE_ROUTES = [
  route({
    method: "GET",
    path: "/v1/devices",
    answer: list("devices", gpuView),
    summary: "All cards: what is promised of them, what is really used, and by whom",
    query: page,
    handle({ api, query }) {
      const { items: devices, next } = pageOf(query, all(api, api.store.state), null);
      return { devices, next };
    },
  }),
  route({
    method: "GET",
    path: "/v1/devices/{device}",
    answer: gpuView,
    summary: "One card, by the start of its id",
    handle({ api, params, who }): GpuView {
      const { name, project } = who;
      const found = resolve(api.store, params.device, { name, project, kinds: ["card"] });
      const view = all(api, api.store.state).find(({ id }) => found.kind === "card" && id === found.id);
      if (view === undefined) throw notFound(`there is no card ${params.device}`, "orch gpus shows what there is");
      return view;
    },
  }),
];

/** Returns all cards by node, in the order of the bus. */
function all(api: Api, state: State): GpuView[] {
  const byNode = tasksByNode(state);
  return state.nodes
    .values()
    .toArray()
    .sort((a, b) => compareText(a.name, b.name))
    .flatMap((node) => gpuViews(node, byNode.get(node.id) ?? [], api.readings.of(node.id), state));
}
