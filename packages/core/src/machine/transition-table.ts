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
  { type: "HOLD" },
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
const TABLE: Table = askTheMachine();

/** By state, then by the event's key, so that no lookup has to put a string together. */
type Table = ReadonlyMap<ExecutionState, ReadonlyMap<string, Transition>>;

/**
 * The machine's answer to an event.
 *
 * @throws MillraceError `illegal-transition` where the state does not take the event
 */
export function nextTransition(state: ExecutionState, event: ExecutionEvent): Transition {
  const answer = TABLE.get(state)?.get(keyOf(event));
  if (answer !== undefined) return answer;
  throw new MillraceError(
    "illegal-transition",
    `An execution that is ${state} takes no ${event.type}.`,
  );
}

/** Whether the state takes the event at all. */
export function takes(state: ExecutionState, event: ExecutionEvent): boolean {
  return TABLE.get(state)?.has(keyOf(event)) === true;
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

function askTheMachine(): Table {
  return new Map(
    EVERY_STATE.map((state) => {
      const answers = new Map<string, Transition>();
      for (const event of EVERY_EVENT) {
        const answer = askMachine(state, event);
        if (answer !== undefined) answers.set(keyOf(event), answer);
      }
      return [state, answers];
    }),
  );
}

function keyOf(event: ExecutionEvent): string {
  if (!("retry" in event) || event.retry) return event.type;
  return event.type === "FAIL" ? "FAIL never" : "TIMEOUT never";
}
