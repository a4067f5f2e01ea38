import {
  type Clock,
  type MachineDocument,
  machineKey,
  type MachineRef,
  MillraceError,
} from "@millrace/core";
import type { Shelved } from "./machine-shelf.ts";

/** Machines whose documents are remembered, so that they need not be read for each event. */
const MOST_HELD = 1_000;
/**
 * A machine that waits for room is looked at as often as messages wait for it. Its document is read
 * again only after this: another host may have sent some of what it keeps.
 */
const FULL_FOR_MS = 1_000;

/** What is taken waits until there is room: it is given back. */
export class NoRoom extends MillraceError {
  constructor(document: MachineDocument) {
    const [first] = document.unsent?.events ?? [];
    const to = first === undefined ? "another one" : machineKey(first.to);
    super(
      "queue-full",
      `As many events of the machine ${machineKey(document)} wait for ${to} as may. What it would send next waits in its inbox.`,
    );
  }
}

interface Held {
  readonly shelved: Shelved;
  /** When it was written or read. */
  readonly at: number;
}

/** Documents that were written or read here, and whose effects are done. */
export class HeldMachines {
  readonly #clock: Pick<Clock, "now">;
  readonly #held = new Map<string, Held>();

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  get(ref: MachineRef): Shelved | undefined {
    return this.#held.get(machineKey(ref))?.shelved;
  }

  keep(shelved: Shelved): void {
    const { document } = shelved;
    if (document === undefined) return;
    const key = machineKey(document);
    this.#held.delete(key);
    this.#held.set(key, { shelved, at: this.#clock.now() });
    const [oldest] = this.#held.keys();
    if (this.#held.size > MOST_HELD && oldest !== undefined) this.#held.delete(oldest);
  }

  forget(ref: MachineRef): void {
    this.#held.delete(machineKey(ref));
  }

  /** After whatever went wrong the document is read again, unless nothing was begun. */
  failed(ref: MachineRef, error: unknown): void {
    const held = this.#held.get(machineKey(ref));
    const isFresh = held !== undefined && this.#clock.now() - held.at <= FULL_FOR_MS;
    if (!(error instanceof NoRoom) || !isFresh) this.forget(ref);
  }
}
