import {
  type AnyStateMachine,
  type ContextFrom,
  type EventFromLogic,
  type InputFrom,
  matchesState,
  type OutputFrom,
  type StateValue,
  type StateValueFrom,
} from "xstate";
import type { RecordedError } from "../errors/recorded-error.ts";
import {
  hasFailedEnd,
  type InvokedJob,
  type MachineDocument,
  type MachinePassage,
  type MachineStatus,
  type MachineTimer,
  type MachineTrouble,
} from "./machine-document.ts";

/** The events that a chart takes from outside. */
export type MachineEventOf<Chart extends AnyStateMachine> = EventFromLogic<Chart>;
/** What a chart is started with. */
export type MachineInputOf<Chart extends AnyStateMachine> = InputFrom<Chart>;

/** A durable machine as it stands. */
export interface MachineSnapshot<Chart extends AnyStateMachine = AnyStateMachine> {
  readonly machine: string;
  readonly id: string;
  readonly version: number;
  /**
   * `active` until its chart has come to an end: `done` with an output, `error` where an actor's
   * error was not handled or its start failed, `stopped` by `stop()`.
   */
  readonly status: MachineStatus;
  /** The state that it is in, as XState has it. */
  readonly value: StateValueFrom<Chart>;
  readonly context: ContextFrom<Chart>;
  readonly output?: OutputFrom<Chart>;
  readonly error?: RecordedError;
  /** Jobs whose end it waits for, by the actor's id in the chart. */
  readonly jobs: Readonly<Record<string, InvokedJob>>;
  /**
   * What comes by itself, and when. The next one first. With those that the chart could not take,
   * and the ends of jobs that it could not, which come again.
   */
  readonly timers: readonly MachineTimer[];
  /** The last event that it could not take: a guard threw, or the state could not be kept. */
  readonly trouble?: MachineTrouble;
  /** Its last transitions, the oldest first; at most 20. */
  readonly trail: readonly MachinePassage[];
  /** Epoch milliseconds, by the clock of the node that wrote it. */
  readonly startedAt: number;
  readonly changedAt: number;
  /** Whether it is in this state, or in one below it: `snapshot.matches({ open: "paid" })`. */
  matches(state: StateValue): boolean;
}

export function machineSnapshot<Chart extends AnyStateMachine>(
  document: MachineDocument,
): MachineSnapshot<Chart> {
  const { machine, id, version, status, value, context, output, error, trouble } = document;
  const { children, timers, trail, startedAt, changedAt } = document;
  return {
    ...{ machine, id, version, status, trail, startedAt, changedAt },
    value,
    context: context as ContextFrom<Chart>,
    ...(output === undefined ? {} : { output: output as OutputFrom<Chart> }),
    ...(error === undefined ? {} : { error }),
    ...(trouble === undefined ? {} : { trouble }),
    jobs: Object.fromEntries(
      Object.entries(children).filter(([actor]) => !hasFailedEnd(document, actor)),
    ),
    timers: Object.values(timers).toSorted((a, b) => a.at - b.at),
    matches: (state) => value !== null && matchesState(state, value as StateValue),
  };
}
