import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { executionMachine } from "./execution-machine.ts";

const DOC = new URL("../../../../docs/machine.md", import.meta.url);

/** A transition as the machine's config may write it. */
type Target =
  string | { readonly target?: string; readonly guard?: unknown; readonly actions?: unknown };

interface StateConfig {
  readonly type?: string;
  readonly on?: Readonly<Record<string, Target | readonly Target[]>>;
  readonly always?: Target | readonly Target[];
  readonly entry?: unknown;
}

const listed = <T>(value: T | readonly T[] | undefined): readonly T[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value as T];

/**
 * The machine as a Mermaid state diagram: events and guards on the arrows, effects behind a slash
 * and in notes.
 */
function diagramOf(machine: typeof executionMachine): string {
  const lines = ["stateDiagram-v2", `  [*] --> ${String(machine.config.initial)}`];
  const notes: string[] = [];
  for (const [state, config] of Object.entries(machine.config.states ?? {}) as readonly (readonly [
    string,
    StateConfig,
  ])[]) {
    for (const [event, targets] of Object.entries(config.on ?? {}))
      lines.push(...listed<Target>(targets).map((target) => arrow(state, event, target)));
    lines.push(...listed<Target>(config.always).map((target) => arrow(state, undefined, target)));
    if (config.type === "final") lines.push(`  ${state} --> [*]`);
    if (config.entry !== undefined)
      notes.push(`  note right of ${state}: ${listed(config.entry).join(", then ")}`);
  }
  return [...lines, ...notes].join("\n");
}

function arrow(from: string, event: string | undefined, given: Target): string {
  const { target = from, guard, actions } = typeof given === "string" ? { target: given } : given;
  const label = [
    event,
    guard === undefined ? undefined : `[${String(guard)}]`,
    actions === undefined ? undefined : `/ ${listed(actions).join(", ")}`,
  ]
    .filter((part) => part !== undefined)
    .join(" ");
  return `  ${from} --> ${target}${label === "" ? "" : `: ${label}`}`;
}

test("docs/machine.md draws the machine that runs", () => {
  const drawn = /```mermaid\n([\s\S]*?)\n```/.exec(readFileSync(DOC, "utf8"))?.[1];
  expect(drawn).toBe(diagramOf(executionMachine));
});
