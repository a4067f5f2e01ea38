import { METRICS } from "@millrace/core";
import { describe, expect, test } from "vitest";
import { COMMANDS } from "../../packages/millrace/src/cli/command-list.ts";
import { alerts, dashboard, promQl } from "./expressions.ts";

/** Labels that Prometheus adds: which node, which bucket. */
const ADDED = ["instance", "le"];
/** Of each metric of ours. */
const NAMESPACE = "millrace_namespace";
const expressions = [
  ...alerts.map(({ alert, expr, annotations }): [string, string, string] => [
    alert,
    expr,
    `${annotations.summary} ${annotations.description}`,
  ]),
  ...dashboard.panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr, legendFormat }): [string, string, string] => [title, expr, legendFormat]),
  ),
];

test.each(expressions)("%s: %s", (_title, expr, text) => {
  const { faults, metrics, labels } = promQl(expr);
  expect(faults).toBe(0);
  expect(metrics).not.toEqual([]);
  const known = new Set<string>([...ADDED, NAMESPACE]);
  for (const metric of metrics) {
    const name = metric.replace(/_(bucket|sum|count)$/, "");
    const described = Object.entries(METRICS).find(([key]) => key === name)?.[1];
    expect(described, `${metric} is no metric of a node`).toBeDefined();
    expect(metric === name, metric).toBe(described?.kind !== "histogram");
    for (const label of described?.labels ?? []) known.add(label);
  }
  const shown = [...text.matchAll(/\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}/g)].map(
    ([, label]) => label as string,
  );
  for (const label of [...labels, ...shown]) expect([...known]).toContain(label);
});

test("the check of expressions finds what is wrong with one", () => {
  expect(promQl("sum by (queue (millrace_queue_depth)").faults).toBeGreaterThan(0);
  expect(promQl('rate(millrace_jobs_dead_total{reason="poison"}[5m])')).toEqual({
    faults: 0,
    metrics: ["millrace_jobs_dead_total"],
    labels: ["reason"],
  });
});

describe("alerts", () => {
  test("each has a name of its own, a severity, and says what to do", () => {
    expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length);
    for (const { alert, labels, annotations } of alerts) {
      expect(["critical", "warning", "info"], alert).toContain(labels.severity);
      expect(annotations.description.length, alert).toBeGreaterThan(30);
    }
  });

  test("one fires where no node reports anything, when no rule made of reports can", () => {
    const silent = alerts.filter(({ expr }) => /\babsent\(/.test(expr));
    expect(silent.map(({ alert, labels }) => [alert, labels.severity])).toEqual([
      ["MillraceNoNodeReady", "critical"],
    ]);
    expect(promQl(silent[0]?.expr ?? "").metrics).toEqual(["millrace_node_ready"]);
  });

  test("none adds up what belongs to two namespaces of Millrace", () => {
    for (const { alert, expr, annotations } of alerts) {
      const joins = expr.match(/\b(?:sum|min|max|avg|count|group|on)\b[^(]*\([^)]*\)?/g) ?? [];
      for (const join of joins) expect(join, alert).toContain(`(${NAMESPACE}`);
      expect(annotations.summary, alert).toContain(`$labels.${NAMESPACE}`);
    }
  });

  test("the commands they name exist", () => {
    const names = COMMANDS.map(({ name }) => name);
    for (const { annotations } of alerts)
      for (const [, line] of annotations.description.matchAll(/`millrace ([a-z ]+)`/g))
        expect(names).toContain(line);
  });
});

describe("the dashboard", () => {
  test("each panel asks for the namespaces that are chosen, and tells lines of two apart", () => {
    for (const { title, targets = [] } of dashboard.panels)
      for (const { expr, legendFormat } of targets) {
        const bare = expr.replaceAll(`{${NAMESPACE}=~"$namespace"`, "").match(/\bmillrace_\w+/g);
        const chosen = expr.split(`{${NAMESPACE}=~"$namespace"`).length - 1;
        const asked = (bare ?? []).filter((word) => word !== NAMESPACE).length;
        expect(chosen, `${title}: ${expr}`).toBe(asked);
        if (legendFormat.includes("{{")) expect(legendFormat, title).toContain(`{{${NAMESPACE}}} `);
        if (/ by /.test(expr)) expect(expr, title).toContain(`by (${NAMESPACE}`);
      }
  });

  test("panels have ids of their own and do not overlap", () => {
    const cells = new Map<string, string>();
    for (const { title, gridPos } of dashboard.panels)
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          expect(x).toBeLessThan(24);
          expect(cells.get(`${x}/${y}`), title).toBeUndefined();
          cells.set(`${x}/${y}`, title);
        }
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
  });

  test("every variable it uses is defined", () => {
    const defined = dashboard.templating.list.map(({ name }) => name);
    for (const [, name] of JSON.stringify(dashboard.panels).matchAll(/\$\{?([a-z]\w*)/g))
      expect([...defined, "labels"]).toContain(name);
  });
});
