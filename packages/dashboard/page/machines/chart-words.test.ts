import { expect, test } from "vitest";
import { eventWords, takenTransitions } from "./chart-words.ts";

const way = (from: string, event: string, ...to: readonly string[]) => ({
  ...{ from, to, event, label: event.toLowerCase() },
});
const chart = {
  transitions: [
    way("open", "CLOSE", "closed"),
    way("open.read", "CLOSE", "lost"),
    way("", "STOP", "closed"),
    way("closed", "OPEN", "open.read"),
  ],
};
const passage = (event: string, ...active: readonly string[]) => ({ event, active });

test("a transition was taken whose event led from its state to its target", () => {
  const trail = [
    passage("OPEN", "open.read"),
    passage("CLOSE", "closed"),
    passage("xstate.init", "open.unread"),
  ];
  expect([...takenTransitions(chart, trail)].toSorted()).toEqual([0, 3]);
});

test("out of whatever state one leads that belongs to the chart itself", () => {
  const trail = [passage("STOP", "closed"), passage("xstate.init", "open.read")];
  expect([...takenTransitions(chart, trail)]).toEqual([2]);
});

test("of what came before the trail begins nothing is known", () => {
  expect(takenTransitions(chart, [passage("CLOSE", "closed")]).size).toBe(0);
});

test("an event is called as the chart calls it", () => {
  expect(eventWords(chart, "CLOSE")).toBe("close");
  expect(eventWords(chart, "OTHER")).toBe("OTHER");
  expect(eventWords(undefined, "CLOSE")).toBe("CLOSE");
  expect(eventWords(undefined, "xstate.init")).toBe("start");
});
