import type { AnyMachineSnapshot } from "xstate";
import { type RecordedError, recordError } from "../errors/recorded-error.ts";
import { nextState, revive } from "./chart-step.ts";
import type { MachineDefinition } from "./define-machine.ts";
import type { MachineDocument } from "./machine-document.ts";
import { ofThisVersion } from "./step-machine.ts";

/** Whether a stored machine could go on with a definition. */
export interface StoredCheck {
  readonly isMigrated: boolean;
  /** Why it could not. */
  readonly error?: RecordedError;
}

/**
 * Tries a definition on a stored machine, before it is deployed: its version and migration, whether
 * the chart has its state, whether there is a job for each actor that it waits for and a state that
 * hears of the job's end, and what each of its timers would do. Nothing is done: a chart is pure.
 */
export function checkStored(definition: MachineDefinition, document: MachineDocument): StoredCheck {
  const isMigrated = document.version !== definition.version;
  const tried = tryStored(definition, document);
  return tried.ok ? { isMigrated } : { isMigrated, error: tried.error };
}

/** The same, with the machine as the definition's version has it. */
export function tryStored(
  definition: MachineDefinition,
  document: MachineDocument,
):
  | { readonly ok: true; readonly document: MachineDocument }
  | { readonly ok: false; readonly error: RecordedError } {
  try {
    const migrated = ofThisVersion(definition, document);
    const snapshot = revive(definition, migrated);
    checkActors(definition, migrated, snapshot);
    checkTimers(definition, migrated, snapshot);
    return { ok: true, document: migrated };
  } catch (error) {
    const { type, message } = recordError(error, "Error");
    return { ok: false, error: { type, message } };
  }
}

/** XState names an invoked actor by the place and the path of its state, unless the chart does. */
const NAMED_BY_STATE = /^\d+\./;

function checkActors(
  { jobs }: MachineDefinition,
  { children }: MachineDocument,
  { _nodes: active }: AnyMachineSnapshot,
): void {
  for (const [actor, { src }] of Object.entries(children)) {
    if (!(src in jobs))
      throw new Error(`It waits for the actor ${src}, which the chart has no more.`);
    const isInvoked = active.some(({ invoke }) => invoke.some(({ id }) => id === actor));
    if (NAMED_BY_STATE.test(actor) && !isInvoked)
      throw new Error(
        `It waits for the actor ${actor} (${src}), and no state that it is in invokes it under this id: the job's end would change nothing. Give the invocation an id, and keep it.`,
      );
  }
}

/** The event of a delay (`after`) has the path of its state in it. */
const OF_A_STATE = "xstate.after.";

function checkTimers(
  definition: MachineDefinition,
  document: MachineDocument,
  { _nodes: active }: AnyMachineSnapshot,
): void {
  for (const [key, { event }] of Object.entries(document.timers)) {
    const isTaken = active.some(({ transitions }) => transitions.has(event.type));
    if (event.type.startsWith(OF_A_STATE) && !isTaken)
      throw new Error(
        `Its timer ${event.type} is taken by no state that it is in: it would never leave by it.`,
      );
    const { [key]: _due, ...timers } = document.timers;
    try {
      nextState(definition, { ...document, timers }, event, document.changedAt);
    } catch (error) {
      const { message } = recordError(error, "Error");
      throw new Error(`Its timer ${event.type} would fail: ${message}`, { cause: error });
    }
  }
}
