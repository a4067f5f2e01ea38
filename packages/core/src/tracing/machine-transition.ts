import type { MachineStatus } from "../durable/machine-document.ts";
import type { MachineRef } from "../durable/machine-names.ts";
import type { RecordedError } from "../errors/recorded-error.ts";

/** What an event has made of a durable machine: stored, and what follows from it still to do. */
export interface MachineTransition extends MachineRef {
  readonly kind: "start" | "stop" | "event" | "end" | "timer";
  /** The event's type, as XState has it for a start, an end and a timer. */
  readonly event: string;
  /** The state's value, as XState has it. Undefined where the machine has just begun. */
  readonly before: unknown;
  readonly after: unknown;
  readonly status: MachineStatus;
  /** Counts the machine's changes. */
  readonly revision: number;
  /** Why the event could not be taken; then the machine is as it was before. */
  readonly error?: RecordedError;
  /** From when it was taken in hand to when it was stored, milliseconds. */
  readonly tookMs: number;
  readonly node: string;
  /** The trace headers that the event came with. */
  readonly headers: Readonly<Record<string, string>>;
}
