import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parser } from "@prometheus-io/lezer-promql";
import { parse } from "yaml";
import { CHART } from "./rendered.ts";

export interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string };
}

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: {
    readonly h: number;
    readonly w: number;
    readonly x: number;
    readonly y: number;
  };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

const read = (file: string): string => readFileSync(join(CHART, "files", file), "utf8");

export const alerts = (
  parse(read("alerts.yaml")) as { groups: readonly [{ rules: readonly Alert[] }] }
).groups.flatMap(({ rules }) => rules);

export const dashboard = JSON.parse(read("dashboard.json")) as {
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly definition?: string }[];
  };
};

/** An expression with values in place of Grafana's variables. */
export function withoutVariables(expr: string): string {
  return expr.replaceAll("$__rate_interval", "5m").replaceAll(/\$(?:queue|namespace)\b/g, ".*");
}

/**
 * What PromQL's grammar finds in an expression. Grafana's variables, which it knows nothing of, are
 * given a value.
 */
export function promQl(expr: string): {
  readonly faults: number;
  readonly metrics: readonly string[];
  /** Labels that are matched or grouped by. */
  readonly labels: readonly string[];
} {
  const text = withoutVariables(expr);
  const found = { faults: 0, metrics: new Set<string>(), labels: new Set<string>() };
  parser.parse(text).iterate({
    enter: ({ type, name, from, to, node }) => {
      const word = text.slice(from, to);
      if (type.isError) found.faults += 1;
      else if (name === "Identifier" && node.parent?.name === "VectorSelector")
        found.metrics.add(word);
      else if (name === "LabelName") found.labels.add(word);
    },
  });
  return { faults: found.faults, metrics: [...found.metrics], labels: [...found.labels] };
}
