import { describe, expect, test } from "vitest";
import { createActor, getInitialSnapshot } from "xstate";
import {
  type ExecutionEffect,
  type ExecutionEvent,
  executionMachine,
  type ExecutionState,
} from "./execution-machine.ts";
import {
  askMachine,
  EVERY_EVENT,
  EVERY_STATE,
  nextTransition,
  takes,
  type Transition,
} from "./transition-table.ts";

/** All that is allowed, written down a second time. What isn't here is illegal. */
const ALLOWED: readonly (readonly [ExecutionState, string, ExecutionState, string])[] = [
  ["queued", "START", "running", ""],
  ["queued", "DEFER", "requeued", "publishNext record ack"],
  ["queued", "BLOCK", "requeued", "publishNext record ack"],
  ["queued", "INTERRUPT", "requeued", "publishNext record ack"],
  ["queued", "CANCEL", "cancelled", "record publishFollowing ack"],
  ["queued", "EXPIRE", "expired", "publishDead record publishFollowing ack"],
  ["queued", "REJECT", "dead", "publishDead record publishFollowing ack"],
  ["queued", "CRASH", "dead", "publishDead record publishFollowing ack"],
  ["queued", "RECALL", "recalled", "publishFollowing ack"],
  ["queued", "LEASE_LOST", "abandoned", ""],
  ["running", "SUCCEED", "succeeded", "countAttempt record publishFollowing ack"],
  ["running", "FAIL retry", "requeued", "countAttempt publishNext record ack"],
  ["running", "FAIL never", "dead", "countAttempt publishDead record publishFollowing ack"],
  ["running", "TIMEOUT retry", "requeued", "countAttempt publishNext record ack"],
  ["running", "TIMEOUT never", "dead", "countAttempt publishDead record publishFollowing ack"],
  ["running", "SNOOZE", "requeued", "publishNext record ack"],
  ["running", "INTERRUPT", "requeued", "publishNext record ack"],
  ["running", "CANCEL", "cancelled", "record publishFollowing ack"],
  ["running", "LEASE_LOST", "abandoned", ""],
  ["running", "REJECT", "dead", "publishDead record publishFollowing ack"],
];

const EVERY_PAIR = EVERY_STATE.flatMap((state) =>
  EVERY_EVENT.map((event) => ({ state, event, name: `${state} ${nameOf(event)}` })),
);

function nameOf(event: ExecutionEvent): string {
  return "retry" in event ? `${event.type} ${event.retry ? "retry" : "never"}` : event.type;
}

/** What a real actor does that is put into the state and sent the event. */
function askActor(state: ExecutionState, event: ExecutionEvent): Transition | undefined {
  const effects: ExecutionEffect[] = [];
  const note = (effect: ExecutionEffect) => () => void effects.push(effect);
  const machine = executionMachine.provide({
    actions: {
      countAttempt: note("countAttempt"),
      publishNext: note("publishNext"),
      publishFollowing: note("publishFollowing"),
      publishDead: note("publishDead"),
      record: note("record"),
      ack: note("ack"),
    },
  });
  const snapshot = machine.resolveState({ ...getInitialSnapshot(machine), value: state });
  const actor = createActor(machine, { snapshot }).start();
  expect(effects).toEqual([]);
  // An actor that has ended takes nothing; it would only warn on the console.
  if (actor.getSnapshot().status === "done") return undefined;
  actor.send(event);
  const value = actor.getSnapshot().value;
  actor.stop();
  return value === state && effects.length === 0 ? undefined : { state: value, effects };
}

describe("the transition table", () => {
  test("knows every state and, for each event type, every verdict", () => {
    expect(EVERY_STATE).toEqual([
      "queued",
      "running",
      "failed",
      "succeeded",
      "requeued",
      "dead",
      "expired",
      "cancelled",
      "abandoned",
      "recalled",
    ]);
    expect(new Set(EVERY_EVENT.map(({ type }) => type))).toEqual(new Set(executionMachine.events));
    expect(EVERY_EVENT.filter((event) => "retry" in event).map(nameOf)).toEqual([
      "FAIL retry",
      "FAIL never",
      "TIMEOUT retry",
      "TIMEOUT never",
    ]);
  });

  test.each(EVERY_PAIR)(
    "$name: XState asked directly, a real actor and the table agree",
    ({ state, event }) => {
      const direct = askMachine(state, event);
      // No actor rests in `failed`: it is left in the step in which it is entered.
      if (state !== "failed") expect(askActor(state, event)).toEqual(direct);
      expect(takes(state, event)).toBe(direct !== undefined);
      if (direct === undefined) {
        expect(() => nextTransition(state, event)).toThrow(
          expect.objectContaining({ code: "illegal-transition" }),
        );
      } else {
        expect(nextTransition(state, event)).toEqual(direct);
      }
    },
  );

  test("allows exactly what is written down here", () => {
    const allowed = EVERY_PAIR.filter(({ state, event }) => takes(state, event)).map(
      ({ state, event }) => {
        const next = nextTransition(state, event);
        return [state, nameOf(event), next.state, next.effects.join(" ")];
      },
    );
    expect(allowed.toSorted()).toEqual(ALLOWED.map((row) => [...row]).toSorted());
  });

  test("an execution that has ended takes nothing more", () => {
    for (const { state, event } of EVERY_PAIR) {
      if (state !== "queued" && state !== "running") expect(takes(state, event)).toBe(false);
    }
  });

  test("effects are always in the order count, publish, record, what follows, ack, and the ack is last", () => {
    const rank: Record<ExecutionEffect, number> = {
      countAttempt: 0,
      publishNext: 1,
      publishDead: 1,
      record: 2,
      publishFollowing: 3,
      ack: 4,
    };
    for (const { state, event } of EVERY_PAIR) {
      if (!takes(state, event)) continue;
      const ranks = nextTransition(state, event).effects.map((effect) => rank[effect]);
      expect(ranks).toEqual([...new Set(ranks)].toSorted());
    }
  });
});
