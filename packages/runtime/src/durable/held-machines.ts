import {
  type Clock,
  type MachineDocument,
  machineKey,
  type MachineRef,
  MillraceError,
} from "@millrace/core";
import type { Shelved } from "./machine-shelf.ts";
import { sizeOf } from "./machine-size.ts";

/** Machines whose documents are remembered, so that they need not be read for each event. */
const MOST_HELD = 1_000;
/** What they may take together, as they are stored. */
const MOST_HELD_BYTES = 64 * 2 ** 20;
/**
 * A machine that waits for room, or for another version, is looked at as often as messages wait for
 * it. Its document is read again only after this: another host may have gone on with it.
 */
const STUCK_FOR_MS = 1_000;

/** What is taken waits until there is room: it is given back, and that is reported. */
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
  #bytes = 0;

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
    this.#drop(key);
    this.#held.set(key, { shelved, at: this.#clock.now() });
    this.#bytes += sizeOf(document);
    for (const oldest of this.#held.keys()) {
      if (this.#held.size <= MOST_HELD && this.#bytes <= MOST_HELD_BYTES) return;
      this.#drop(oldest);
    }
  }

  forget(ref: MachineRef): void {
    this.#drop(machineKey(ref));
  }

  #drop(key: string): void {
    this.#bytes -= sizeOf(this.#held.get(key)?.shelved.document);
    this.#held.delete(key);
  }

  /** After whatever went wrong the document is read again, unless nothing was begun. */
  failed(ref: MachineRef, error: unknown): void {
    const held = this.#held.get(machineKey(ref));
    const isFresh = held !== undefined && this.#clock.now() - held.at <= STUCK_FOR_MS;
    const isStuck = error instanceof NoRoom || MillraceError.is(error, "machine-mismatch");
    if (!isStuck || !isFresh) this.forget(ref);
  }
}
