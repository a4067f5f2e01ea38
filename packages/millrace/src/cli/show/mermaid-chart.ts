import type { ChartState, MachineChart } from "@millrace/core";
import { clean } from "./clean.ts";

/**
 * A chart as a Mermaid state diagram, which many editors and sites draw.
 *
 * @param active paths of the innermost states that a machine is in: they are lit
 */
export function mermaidChart(chart: MachineChart, active: readonly string[] = []): string {
  const { states, transitions } = chart;
  const hasAny = transitions.some(({ from }) => from === "");
  const ways = transitions.flatMap(({ from, to, label, guard }) =>
    to.map(
      (one) =>
        `  ${from === "" ? ANY : idOf(from)} --> ${idOf(one)}: ${text(guard === undefined ? label : `${label} [${guard}]`)}`,
    ),
  );
  const ends = states
    .filter(({ kind, parent }) => kind === "final" && parent === undefined)
    .map(({ path }) => `  ${idOf(path)} --> [*]`);
  return [
    "stateDiagram-v2",
    "  direction LR",
    ...within(chart, undefined, "  "),
    ...(hasAny ? [`  state "any state" as ${ANY}`] : []),
    ...ways,
    ...ends,
    ...(active.length === 0
      ? []
      : [
          "  classDef active fill:#e3f5e9,stroke:#0f6b34,color:#0f6b34",
          `  class ${active.map(idOf).join(",")} active`,
        ]),
    "",
  ].join("\n");
}

const ANY = "any_state_";

/** The states in another, with theirs; regions of a parallel one are told apart by dashes. */
function within(chart: MachineChart, parent: string | undefined, indent: string): string[] {
  const around = chart.states.find(({ path }) => path === parent);
  const begins = chart.beginnings.find(({ of }) => of === (parent ?? ""))?.at ?? [];
  const lines = begins.map((path) => `${indent}[*] --> ${idOf(path)}`);
  const children = chart.states.filter((state) => state.parent === parent);
  for (const [index, child] of children.entries()) {
    if (around?.kind === "parallel" && index > 0) lines.push(`${indent}--`);
    lines.push(`${indent}state "${text(nameOf(child))}" as ${idOf(child.path)}`);
    const inner = within(chart, child.path, `${indent}  `);
    if (inner.length > 0)
      lines.push(`${indent}state ${idOf(child.path)} {`, ...inner, `${indent}}`);
  }
  return lines;
}

function nameOf({ path, kind, invokes }: ChartState): string {
  const name = path.slice(path.lastIndexOf(".") + 1);
  const more = [...(kind === "history" ? ["history"] : []), ...invokes];
  return more.length === 0 ? name : `${name} (${more.join(", ")})`;
}

/** Two paths never have one id: what is no letter or digit is written by its number. */
function idOf(path: string): string {
  return path.replaceAll(/[^A-Za-z0-9]/g, (one) =>
    one === "." ? "__" : `_${one.codePointAt(0)}_`,
  );
}

const MOST_TEXT = 1_000;

/** Mermaid takes quotes, semicolons and number signs for its own. */
function text(given: string): string {
  return clean(given, MOST_TEXT).replaceAll(/["#;:]/g, (one) => `#${one.codePointAt(0)};`);
}
