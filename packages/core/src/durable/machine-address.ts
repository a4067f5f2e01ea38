import type { ActorRefFrom, AnyStateMachine } from "xstate";
import type { SentBy } from "./heard-machines.ts";
import type { MachineDefinition } from "./define-machine.ts";
import type { MachineDocument } from "./machine-document.ts";
import {
  isMachineId,
  isMachineName,
  type MachineRef,
  requireMachineId,
  requireMachineName,
} from "./machine-names.ts";

/** What `sendTo` of XState takes for another machine. It is plain data: an event may carry it. */
export type MachineAddress<Chart extends AnyStateMachine> = ActorRefFrom<Chart> & MachineRef;

/**
 * Another durable machine, for `sendTo` in a chart. The definition names those that it may send to
 * (`sendsTo`).
 *
 * @throws MillraceError `invalid-name`
 * @example
 * sendTo(({ context }) => machineAddress(stock, context.sku), { type: "RESERVE" });
 */
export function machineAddress<Chart extends AnyStateMachine>(
  of: MachineDefinition<Chart> | string,
  id: string,
): MachineAddress<Chart> {
  const machine = requireMachineName(typeof of === "string" ? of : of.name);
  return { machine, id: requireMachineId(id) } as MachineAddress<Chart>;
}

/** @returns undefined for what no machine can be meant by, as an actor of the chart's own */
export function readMachineAddress(value: unknown): MachineRef | undefined {
  const { machine, id } = (value ?? {}) as Partial<Record<string, unknown>>;
  return isMachineName(machine) && isMachineId(id) ? { machine, id } : undefined;
}

const PREFIX = "millrace-m:";

/** Which event of which machine it is: the same however often it is sent. */
export function sentEventId(
  { machine, id, run, rev }: Pick<MachineDocument, "machine" | "id" | "run" | "rev">,
  number: number,
): string {
  return `${PREFIX}${machine}:${id}:${run}:${rev}:${number}`;
}

/** @returns undefined for an event that no machine has sent */
export function sentBy(eventId: string | undefined): SentBy | undefined {
  if (eventId === undefined || !eventId.startsWith(PREFIX)) return undefined;
  const parts = eventId.slice(PREFIX.length).split(":");
  const [number, rev] = [Number(parts.pop()), Number(parts.pop())];
  if (parts.length < 3 || !Number.isSafeInteger(rev) || !Number.isSafeInteger(number))
    return undefined;
  return { sender: parts.join(":"), place: [rev, number] };
}
