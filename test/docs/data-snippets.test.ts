// What the pages show as JSON, YAML and Mermaid: its syntax, and that what it names is there.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { METRICS, readEnvelope } from "@millrace/core";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { projectFiles } from "../../packages/create-millrace/src/project-files.ts";
import { promQl } from "../deploy/expressions.ts";
import { helm, render, schemaFaults, WITHOUT_HELM } from "../deploy/rendered.ts";
import { pageSnippets, type Snippet } from "./snippets.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const JSONS = pageSnippets("json");
const YAMLS = pageSnippets("yaml");
type Fields = Readonly<Record<string, unknown>>;
const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const titled = (snippets: readonly Snippet[]) =>
  snippets.map((snippet) => ({ ...snippet, name: `${snippet.page}:${snippet.line}` }));

/** What each page's JSON is, and what is wrong with one. */
const JSON_OF: Readonly<Record<string, (value: Fields, text: string) => string | undefined>> = {
  "docs/logs.md": (line) => {
    const [, table = ""] = readFileSync(join(ROOT, "docs/logs.md"), "utf8").split("| field");
    // `order` is the handler's own.
    const unknown = Object.keys(line).filter(
      (field) => field !== "order" && !table.includes(`\`${field}\``),
    );
    return unknown.length === 0 ? undefined : `no line has ${unknown.join(", ")}`;
  },
  "docs/tutorial.md": (value) => {
    const made: unknown = JSON.parse(projectFiles("a", "1.0.0")["tsconfig.json"] ?? "");
    return isDeepStrictEqual(value, made) ? undefined : "create-millrace writes another one";
  },
  "docs/wire-protocol.md": (value, text) => {
    // What the server answers to a publish.
    if ("stream" in value)
      return Object.keys(value).join() === "stream,seq" ? undefined : "no acknowledgement is so";
    const body = Buffer.from(text);
    const stored = { headers: {}, sequence: 1, storedAt: 1 };
    const read = readEnvelope({ queue: "mail", origin: "producer", body, ...stored });
    return read.ok ? undefined : read.error.message;
  },
};

/** What each page's YAML is. */
const YAML_OF: Readonly<Record<string, (value: unknown) => readonly string[]>> = {
  "docs/deploy.md": valueFaults,
  "docs/metrics.md": (value) => (Array.isArray(value) ? alertFaults(value) : scrapeFaults(value)),
};

describe.each(titled(JSONS))("the JSON of $name", ({ page, text }) => {
  test("is that, and what it stands for takes it", () => {
    const value = JSON.parse(text) as Fields;
    const check = JSON_OF[page];
    expect(check, `${page} has a check`).toBeDefined();
    expect(check?.(value, text)).toBeUndefined();
  });
});

describe.each(titled(YAMLS))("the YAML of $name", ({ page, text }) => {
  test("is that, and what it stands for takes it", () => {
    const check = YAML_OF[page];
    expect(check, `${page} has a check`).toBeDefined();
    expect(check?.(parse(text))).toEqual([]);
  });
});

test.skipIf(helm === undefined)(
  `the chart makes of the page's values what Kubernetes takes${helm === undefined ? `: ${WITHOUT_HELM}` : ""}`,
  async () => {
    const [values] = YAMLS.filter(({ page }) => page === "docs/deploy.md");
    const resources = await render(parse(values?.text ?? "") as Fields);
    expect(resources.length).toBeGreaterThan(3);
    expect(await schemaFaults(resources)).toEqual([]);
  },
  60_000,
);

test("values, alerts and JSON that are wrong are told", () => {
  expect(valueFaults({ groups: { mail: { queue: { mail: 1 } } }, nats: { server: [] } })).toEqual([
    "groups.mail.queue",
    "nats.server",
  ]);
  const expr = "sum by (queue) (millrace_queue_depht) > 1";
  expect(alertFaults([{ alert: "A", expr }])).toEqual([
    "A: millrace_queue_depht",
    "A: adds up namespaces",
  ]);
  expect(alertFaults([{ alert: "A", expr: "sum by (queue > 1" }])[0]).toMatch(/^A: no PromQL/);
  expect(scrapeFaults({ scrape_config: [] })).toEqual(["scrape_config"]);
  const wire = JSON_OF["docs/wire-protocol.md"];
  expect(wire?.({}, '{"nam":"x","payload":1}')).toMatch(/name/);
});

describe.each(titled(pageSnippets("mermaid")))("the drawing of $name", ({ text }) => {
  test("has only lines that Mermaid reads, and its arrows lead to boxes that it has", () => {
    expect(drawingFaults(text)).toEqual([]);
  });
});

test("a drawing that is wrong is told", () => {
  const text = 'flowchart LR\n  a["A"] -- "goes" --> b["B"]\n  b --> c\n  b =>> a\n';
  expect(drawingFaults(text)).toEqual(["b =>> a", "c is no box"]);
});

/** The chart's defaults are all there is to set; a group has what `defaults` has, and queues. */
function valueFaults(values: unknown): readonly string[] {
  const known = parse(
    readFileSync(join(ROOT, "deploy/helm/millrace/values.yaml"), "utf8"),
  ) as Fields;
  const { groups = {}, ...rest } = values as { readonly groups?: Fields };
  const inGroups = Object.entries(groups).flatMap(([name, group]) => {
    const { queues, ...own } = group as { readonly queues?: unknown };
    const named = isFields(queues) && Object.values(queues).every(Number.isInteger);
    return [
      ...(queues === undefined || named ? [] : [`groups.${name}.queues`]),
      ...unknownKeys(own, known["defaults"], `groups.${name}.`),
    ];
  });
  return [...inGroups, ...unknownKeys(rest, known)];
}

function unknownKeys(values: Fields, known: unknown, at = ""): readonly string[] {
  return Object.entries(values).flatMap(([key, value]) => {
    if (!isFields(known) || !(key in known)) return [`${at}${key}`];
    const inner = known[key];
    return isFields(value) && isFields(inner) && Object.keys(inner).length > 0
      ? unknownKeys(value, inner, `${at}${key}.`)
      : [];
  });
}

/** Labels that Prometheus gives to whatever it scrapes, and the one that all of ours have. */
const OF_PROMETHEUS = ["job", "instance", "millrace_namespace"];

function alertFaults(rules: readonly unknown[]): readonly string[] {
  return rules.flatMap((rule) => {
    const { alert, expr } = rule as { readonly alert: string; readonly expr: string };
    const { faults, metrics, labels } = promQl(expr);
    if (faults > 0) return [`${alert}: no PromQL: ${expr}`];
    const of = metrics.map((metric) => METRICS[metric as keyof typeof METRICS] as Metric);
    const known = of.flatMap((metric) => metric?.labels ?? []);
    return [
      ...metrics.filter((_, at) => of[at] === undefined),
      ...labels.filter(
        (label) => of.every(Boolean) && !known.includes(label) && !OF_PROMETHEUS.includes(label),
      ),
      ...(labels.includes("millrace_namespace") ? [] : ["adds up namespaces"]),
    ].map((name) => `${alert}: ${name}`);
  });
}

/** Prometheus' own names of what the page sets. */
function scrapeFaults(value: unknown): readonly string[] {
  const known = {
    scrape_configs: ["job_name", "static_configs", "basic_auth"],
    static_configs: ["targets"],
  };
  return Object.entries(value as Fields).flatMap(([key, items]) => {
    const fields = known[key as keyof typeof known];
    if (fields === undefined) return [key];
    return (items as readonly Fields[]).flatMap((item) => [
      ...Object.keys(item).filter((field) => !fields.includes(field)),
      ...scrapeFaults(Object.fromEntries(Object.entries(item).filter(([field]) => field in known))),
    ]);
  });
}

/** Of the two kinds of drawing that pages have: a flowchart, and a chart of states. */
function drawingFaults(text: string): readonly string[] {
  const [kind = "", ...lines] = text
    .trim()
    .split("\n")
    .map((line) => line.trim());
  const box = String.raw`\w+(?:\[\("[^"]+"\)\]|\["[^"]+"\])?`;
  const arrow = String.raw` (?:-->|-- "[^"]+" -->|-\. "[^"]+" \.->) `;
  const shapes = {
    "flowchart LR": new RegExp(`^(?:subgraph \\w+\\["[^"]+"\\]|end|${box}(?:${arrow}${box})*)$`),
    "stateDiagram-v2":
      /^(?:note right of \w+: .+|(?:\[\*\]|\w+) --> (?:\[\*\]|\w+)(?:: (?:[A-Z_]+|\[\w+\])(?: \/ \w+)?)?)$/,
  };
  const shape = shapes[kind as keyof typeof shapes];
  if (shape === undefined) return [kind];
  const wrong = lines.filter((line) => !shape.test(line));
  if (kind !== "flowchart LR") return wrong;
  const boxes = new Set([...text.matchAll(/(\w+)\[[("]/g)].map(([, name]) => name));
  const named = lines
    .filter((line) => shape.test(line) && !/^(subgraph|end\b)/.test(line))
    .flatMap((line) => line.split(new RegExp(arrow)))
    .map((part) => /^\w+/.exec(part)?.[0] ?? "");
  return [
    ...wrong,
    ...[...new Set(named)].filter((name) => !boxes.has(name)).map((name) => `${name} is no box`),
  ];
}

interface Metric {
  readonly labels?: readonly string[];
}
