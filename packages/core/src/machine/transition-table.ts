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
  { type: "BLOCK" },
  { type: "EXPIRE" },
  { type: "REJECT" },
  { type: "CRASH" },
  { type: "RECALL" },
];

export const EVERY_STATE = Object.keys(executionMachine.states) as ExecutionState[];

/**
 * Asking XState costs more than a short job does (an actor 16 µs, a `transition()` 73 µs on the
 * machine this was measured on). So the machine is asked every question once, when it comes up, and
 * executions look the answers up. A test asks again and compares. Asking them all beforehand would
 * cost every command and every waiting node time at its start, and 7 to 12 MB that nobody needs.
 *
 * By state, then by the event's key, so that no lookup has to put a string together.
 */
const known = new Map<ExecutionState, Map<string, Transition | undefined>>();

/**
 * The machine's answer to an event.
 *
 * @throws MillraceError `illegal-transition` where the state does not take the event
 */
export function nextTransition(state: ExecutionState, event: ExecutionEvent): Transition {
  const answer = answerTo(state, event);
  if (answer !== undefined) return answer;
  throw new MillraceError(
    "illegal-transition",
    `An execution that is ${state} takes no ${event.type}.`,
  );
}

/** Whether the state takes the event at all. */
export function takes(state: ExecutionState, event: ExecutionEvent): boolean {
  return answerTo(state, event) !== undefined;
}

/** The machine itself, asked directly. Slow; for the first time and for the test that compares. */
export function askMachine(state: ExecutionState, event: ExecutionEvent): Transition | undefined {
  const from = executionMachine.resolveState({
    ...getInitialSnapshot(executionMachine),
    value: state,
  });
  if (from.status === "done" || !from.can(event)) return undefined;
  const [to, actions] = transition(executionMachine, from, event);
  return { state: to.value, effects: actions.map((action) => action.type as ExecutionEffect) };
}

function answerTo(state: ExecutionState, event: ExecutionEvent): Transition | undefined {
  const key = keyOf(event);
  const answer = known.get(state)?.get(key);
  if (answer !== undefined) return answer;
  const answers = known.get(state) ?? new Map<string, Transition | undefined>();
  known.set(state, answers);
  if (!answers.has(key)) answers.set(key, askMachine(state, event));
  return answers.get(key);
}

function keyOf(event: ExecutionEvent): string {
  if (!("retry" in event) || event.retry) return event.type;
  return event.type === "FAIL" ? "FAIL never" : "TIMEOUT never";
}
