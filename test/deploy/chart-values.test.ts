// What the chart's values may be. Helm checks them by this schema before it renders anything.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv } from "ajv";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { EVERYTHING } from "./everything.ts";
import { CHART, helm, render, WITHOUT_HELM } from "./rendered.ts";

type Values = Record<string, unknown>;

const read = (file: string): string => readFileSync(join(CHART, file), "utf8");
const schema = JSON.parse(read("values.schema.json")) as Values;
const usual = parse(read("values.yaml")) as Values;
const isTaken = new Ajv({ strict: false }).compile(schema);

/** The chart's own values with others, set by their paths as Helm does it. */
function withValues(sets: Readonly<Record<string, unknown>>): Values {
  const values = structuredClone(usual);
  for (const [path, value] of Object.entries(sets)) {
    const keys = path.split(".");
    const last = keys.pop() ?? "";
    let at = values;
    for (const key of keys) at = at[key] as Values;
    at[last] = value;
  }
  return values;
}

const mail = (more: object) => ({ groups: { mail: { queues: { mail: 1 }, ...more } } });

const WRONG: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
  ["a grace with its unit", mail({ graceSeconds: "1m" })],
  ["half a second of grace", mail({ graceSeconds: 0.5 })],
  ["a lease with its unit", { "defaults.leaseSeconds": "2m" }],
  ["slots that are no number", { groups: { mail: { queues: { mail: "abc" } } } }],
  ["half a slot", { groups: { mail: { queues: { mail: 0.5 } } } }],
  ["no slots", { groups: { mail: { queues: { mail: null } } } }],
  ["a queue that can't be called so", { groups: { mail: { queues: { "a.b": 1 } } } }],
  ["memory that is no number", mail({ jobMemoryMb: "abc" })],
  ["a mistyped field of a group", mail({ graceSecond: 60 })],
  ["a mistyped field of the defaults", { "defaults.replica": 2 }],
  ["queues of the defaults", { "defaults.queues": { mail: 1 } }],
  ["a mistyped part", { network: {} }],
  ["job files in a text", mail({ jobs: "jobs/a.ts" })],
  ["servers in a text", { "nats.servers": "nats://nats:4222" }],
  ["two copies", { "nats.replicas": 2 }],
  ["a tag that is a number", { "image.tag": 7 }],
  ["a flag that is a text", { "ui.enabled": "false" }],
  ["a level that there is not", mail({ logLevel: "verbose" })],
  ["a group that can't be called so", { groups: { Mail_1: { queues: { mail: 1 } } } }],
  ["a delay without its unit", { "limits.maxDelay": "400" }],
];

test("the chart's own values are taken, and those with everything", () => {
  for (const values of [usual, withValues(EVERYTHING), { ...usual, global: {} }])
    expect(isTaken(values), JSON.stringify(isTaken.errors)).toBe(true);
});

test.each(WRONG)("refused by the schema: %s", (_what, sets) => {
  expect(isTaken(withValues(sets))).toBe(false);
});

/** The paths of all values that are not free in their names, to the last field. */
function pathsOf(values: unknown, free: readonly string[], at = ""): string[] {
  if (typeof values !== "object" || values === null || Array.isArray(values)) return [at];
  if (free.includes(at)) return [at];
  return Object.entries(values).flatMap(([key, value]) =>
    pathsOf(value, free, at === "" ? key : `${at}.${key}`),
  );
}

/** The same of the schema, through its definitions. */
function schemaPaths(of: Values, at = ""): string[] {
  const { $ref, allOf, properties } = of as {
    readonly $ref?: string;
    readonly allOf?: readonly Values[];
    readonly properties?: Record<string, Values | false>;
  };
  const definitions = schema["definitions"] as Record<string, Values>;
  if ($ref !== undefined) return schemaPaths(definitions[$ref.split("/").at(-1) ?? ""] ?? {}, at);
  if (allOf !== undefined) return schemaPaths(allOf[0] ?? {}, at);
  if (properties === undefined) return [at];
  return Object.entries(properties).flatMap(([key, one]) =>
    one === false ? [] : schemaPaths(one, at === "" ? key : `${at}.${key}`),
  );
}

test("the schema has each value of values.yaml, and none besides", () => {
  const others = ["global", "enabled", "defaults.queues"];
  const known = schemaPaths(schema).filter((path) => !others.includes(path));
  expect(pathsOf(usual, known).toSorted()).toEqual(known.toSorted());
});

describe.skipIf(helm === undefined)(helm === undefined ? `Helm: ${WITHOUT_HELM}` : "Helm", () => {
  test.each(WRONG)("refuses %s by it", async (_what, sets) => {
    await expect(render(sets)).rejects.toThrow(
      /values don't meet the specifications of the schema/,
    );
  });
});
