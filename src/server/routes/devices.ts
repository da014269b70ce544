// Routes for the cards of all nodes, with promises and readings.

import { compareText } from "../../core/canonical";
import type { State } from "../../core/model/rows-state";
import { list } from "../../wire/api/answers";
import { type GpuView, gpuView } from "../../wire/api/devices";
import type { Api } from "./api";
import { notFound, RefusedError } from "../refused";
import { page, pageOf } from "../http/query";
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
    handle: ({ api, params }): GpuView => requireDevice(all(api, api.store.state), params.device),
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

/** Removes the prefix that tools print before an id and people leave out. */
const plain = (id: string): string => id.toLowerCase().replace(/^(gpu|mig)-/, "");

const SHORTEST = 4;

function requireDevice(devices: readonly GpuView[], ref: string): GpuView {
  const whole = devices.find(({ id }) => id === ref);
  if (whole !== undefined) return whole;
  const wanted = plain(ref);
  const found = wanted.length < SHORTEST ? [] : devices.filter(({ id }) => plain(id).startsWith(wanted));
  const [first, second] = found;
  if (first === undefined) throw notFound(`there is no card ${ref.slice(0, 100)}`, "orch gpus shows what there is");
  if (second !== undefined) throw new RefusedError("conflict", `several cards begin with ${ref}`, "Write more of it");
  return first;
}
