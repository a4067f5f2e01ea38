import { getInitialSnapshot, transition } from "xstate";
import { MillraceError } from "../errors/millrace-error.ts";
import {
  type ExecutionEffect,
  type ExecutionEvent,
  executionMachine,
  type ExecutionState,
} from "./execution-machine.ts";

/** One answer of the machine: the state after the event, and what is to be done, in order. */
export interface Transition {
  readonly state: ExecutionState;
  readonly effects: readonly ExecutionEffect[];
}

/** Every event the machine can be given, once for each verdict it can carry. */
export const EVERY_EVENT: readonly ExecutionEvent[] = [
  { type: "START" },
  { type: "SUCCEED" },
  { type: "FAIL", retry: true },
  { type: "FAIL", retry: false },
  { type: "TIMEOUT", retry: true },
  { type: "TIMEOUT", retry: false },
  { type: "SNOOZE" },
  { type: "INTERRUPT" },
  { type: "CANCEL" },
  { type: "LEASE_LOST" },
  { type: "DEFER" },
  { type: "EXPIRE" },
  { type: "REJECT" },
  { type: "CRASH" },
  { type: "RECALL" },
];

export const EVERY_STATE = Object.keys(executionMachine.states) as ExecutionState[];

/**
 * Asking XState costs more than a short job does (an actor 16 µs, a `transition()` 73 µs on the machine
 * this was measured on). So the machine is asked every question once, when the module loads, and
 * executions look the answers up. A test asks again and compares.
 */
const TABLE: ReadonlyMap<string, Transition> = askTheMachine();

/**
 * The machine's answer to an event.
 *
 * @throws MillraceError `illegal-transition` where the state does not take the event
 */
export function nextTransition(state: ExecutionState, event: ExecutionEvent): Transition {
  const answer = TABLE.get(keyOf(state, event));
  if (answer !== undefined) return answer;
  throw new MillraceError(
    "illegal-transition",
    `An execution that is ${state} takes no ${event.type}.`,
  );
}

/** Whether the state takes the event at all. */
export function takes(state: ExecutionState, event: ExecutionEvent): boolean {
  return TABLE.has(keyOf(state, event));
}

/** The machine itself, asked directly. Slow; for building the table and for the test that compares. */
export function askMachine(state: ExecutionState, event: ExecutionEvent): Transition | undefined {
  const from = executionMachine.resolveState({
    ...getInitialSnapshot(executionMachine),
    value: state,
  });
  if (from.status === "done" || !from.can(event)) return undefined;
  const [to, actions] = transition(executionMachine, from, event);
  return { state: to.value, effects: actions.map((action) => action.type as ExecutionEffect) };
}

function askTheMachine(): ReadonlyMap<string, Transition> {
  const table = new Map<string, Transition>();
  for (const state of EVERY_STATE) {
    for (const event of EVERY_EVENT) {
      const answer = askMachine(state, event);
      if (answer !== undefined) table.set(keyOf(state, event), answer);
    }
  }
  return table;
}

function keyOf(state: ExecutionState, event: ExecutionEvent): string {
  return "retry" in event && !event.retry
    ? `${state} ${event.type} never`
    : `${state} ${event.type}`;
}
