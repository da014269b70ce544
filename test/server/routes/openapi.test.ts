// The API's description of itself, held against the routes and the table of who may use them.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { z } from "zod";
import { ACCESS } from "../../../src/server/access/access";
import { ROUTES } from "../../../src/server/routes/table";
import { makeStage, type Stage } from "../stage";

let stage: Stage;
beforeAll(async () => {
  stage = await makeStage();
});
afterAll(async () => stage.close());

describe("the OpenAPI document", () => {
  test("describes every route with its roles, parameters, body and answer", async () => {
    const document = (await stage.call("GET", "/v1/openapi.json", { as: "vera" })).body as unknown as {
      openapi: string;
      components: { schemas: Record<string, { properties?: object }> };
      paths: Record<
        string,
        Record<
          string,
          {
            operationId: string;
            parameters: { name: string; in: string }[];
            requestBody?: object;
            responses: Record<string, { content?: Record<string, { schema: { properties?: object; $ref?: string } }> }>;
            "x-orch-roles"?: string[];
          }
        >
      >;
    };
    expect(document.openapi).toBe("3.1.0");
    let answers = 0;
    for (const route of ROUTES) {
      const operation = document.paths[route.path]![route.method.toLowerCase()]!;
      expect(operation.requestBody !== undefined).toBe(route.body !== null);
      const named = operation.parameters.filter((one) => one.in === "path").map((one) => one.name);
      expect(named).toEqual([...route.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!));
      const asked = operation.parameters.filter((one) => one.in === "query").map((one) => one.name);
      expect(asked).toEqual(Object.keys(route.query?.shape ?? {}));
      const { answer } = route;
      const { content = {} } = operation.responses[answer === "websocket" ? "101" : "200"]!;
      const media = answer === "websocket" ? [] : [typeof answer === "string" ? answer : "application/json"];
      expect(Object.keys(content)).toEqual(media);
      if (answer instanceof z.ZodObject) {
        const { $ref, ...own } = content["application/json"]!.schema;
        const { properties } = $ref === undefined ? own : document.components.schemas[$ref.split("/").at(-1)!]!;
        expect(Object.keys(properties!)).toEqual(Object.keys(answer.shape));
        answers++;
      }
      const access = ACCESS[`${route.method} ${route.path}`]!;
      expect(operation["x-orch-roles"]).toEqual(access.is === "roles" ? [...access.roles] : undefined);
    }
    expect(Object.values(document.paths).flatMap(Object.keys).length).toBe(ROUTES.length);
    expect(answers).toBeGreaterThan(30);
    const ids = Object.values(document.paths).flatMap((at) => Object.values(at).map(({ operationId }) => operationId));
    expect(new Set(ids).size).toBe(ROUTES.length);
  });
});
