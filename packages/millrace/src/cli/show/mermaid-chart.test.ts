import { chartOf, type MachineChart } from "@millrace/core";
import { expect, test } from "vitest";
import { fromPromise, setup } from "xstate";
import { mermaidChart } from "./mermaid-chart.ts";

const chart = setup({
  actors: { pay: fromPromise(async () => 1) },
  guards: { isOk: () => true },
}).createMachine({
  initial: "asking",
  on: { "STOP:now": ".gone" },
  states: {
    asking: {
      initial: "open",
      states: { open: { on: { A: { guard: "isOk", target: "shut-now" } } }, "shut-now": {} },
      after: { 60_000: "both" },
    },
    both: {
      type: "parallel",
      states: { x: { invoke: { src: "pay", onDone: "#gone" } }, y: {} },
    },
    gone: { id: "gone", type: "final" },
  },
});

test("a chart is a state diagram, its regions told apart, with the active states lit", () => {
  expect(mermaidChart(chartOf("claim", 1, chart), ["both.x", "both.y"])).toBe(`stateDiagram-v2
  direction LR
  [*] --> asking
  state "asking" as asking
  state asking {
    [*] --> asking__open
    state "open" as asking__open
    state "shut-now" as asking__shut_45_now
  }
  state "both" as both
  state both {
    state "x (pay)" as both__x
    --
    state "y" as both__y
  }
  state "gone" as gone
  state "any state" as any_state_
  any_state_ --> gone: STOP#58;now
  asking --> both: after 1m
  asking__open --> asking__shut_45_now: A [isOk]
  both__x --> gone: pay done
  gone --> [*]
  classDef active fill:#e3f5e9,stroke:#0f6b34,color:#0f6b34
  class both__x,both__y active
`);
});

test("where nothing is active, nothing is lit", () => {
  expect(mermaidChart(chartOf("claim", 1, chart))).not.toContain("class");
});

test("nothing that a terminal obeys gets into it, whoever wrote the chart", () => {
  const evil = "\u001b[31mred\u202e";
  const states = [{ path: evil, kind: "atomic", invokes: [`pay${evil}`] }];
  const transitions = [{ from: evil, to: [evil], label: `GO${evil}`, guard: evil }];
  const beginnings = [{ of: "", at: [evil] }];
  const told = { machine: "m", version: 1, states, transitions, beginnings };
  expect(mermaidChart(told as unknown as MachineChart, [evil])).not.toMatch(/[^\P{Cc}\n]|\p{Cf}/u);
});
