import type { Msg, NatsConnection } from "@nats-io/nats-core";
import { hearOn } from "../connection/hear-on.ts";
import { watchConnection } from "../connection/connection-events.ts";
import { newInbox } from "../wire/inbox.ts";
import { readStatus } from "../wire/read-headers.ts";
import { type LeaseSegment, SLOTS_PER_SEGMENT } from "./lease-segment.ts";
import { LockExtender } from "./lock-extender.ts";
import { readLockOrder } from "./lock-order.ts";
import { elapsedMs } from "./shared-clock.ts";

const WORKING = new TextEncoder().encode("+WPI");

export interface ExtensionsOptions {
  readonly segments: readonly LeaseSegment[];
  /** As `sharedNowMs`, the same clock as the slots' taker uses. */
  readonly nowMs: () => number;
  /** Too long without a confirmation. `slot` is counted over all segments. */
  readonly onLost: (slot: number, generation: number) => void;
  /** The server takes no extensions. */
  readonly onRefused: (error: Error) => void;
}

/**
 * Looks at every slot in turn: extends what is due, and declares lost what could not be extended
 * for too long.
 */
export class Extensions {
  readonly #options: ExtensionsOptions;
  readonly #extender = new LockExtender();
  #link: { readonly nc: NatsConnection; readonly prefix: string } | undefined;

  constructor(options: ExtensionsOptions) {
    this.#options = options;
  }

  /**
   * Leases are watched before this too: one that can't be extended because nobody answers must
   * still be declared lost.
   */
  open(nc: NatsConnection): void {
    const prefix = `${newInbox(nc)}.`;
    hearOn(nc, `${prefix}>`, (error, msg) =>
      error ? this.#options.onRefused(error) : this.#confirmed(nc, prefix, msg),
    );
    // What is written while disconnected may vanish or arrive late: nothing is.
    const connected = { nc, prefix };
    this.#link = connected;
    watchConnection(nc, (status) => {
      if (status.type === "disconnect") this.#link = undefined;
      if (status.type === "reconnect") this.#link = connected;
    });
  }

  /** @returns the connection it was opened on, where that is up */
  close(): NatsConnection | undefined {
    const nc = this.#link?.nc;
    this.#link = undefined;
    return nc;
  }

  tick(): void {
    const { segments } = this.#options;
    for (let s = 0; s < segments.length; s += 1) {
      const segment = segments[s] as LeaseSegment;
      for (let slot = 0; slot < SLOTS_PER_SEGMENT; slot += 1) {
        const generation = segment.heldGeneration(slot);
        if (generation !== undefined)
          this.#look(segment, slot, generation, s * SLOTS_PER_SEGMENT + slot);
      }
    }
  }

  /**
   * The age decides before anything is sent: a process that was frozen must not extend a lease that
   * is another's by now.
   */
  #look(segment: LeaseSegment, slot: number, generation: number, number: number): void {
    const nowMs = this.#options.nowMs();
    const age = segment.age(slot, nowMs);
    if (age === "over") {
      if (segment.declareLost(slot, generation)) this.#options.onLost(number, generation);
      return;
    }
    const link = this.#link;
    if (age === "fresh" || link === undefined) return;
    const subject = segment.subject(slot, generation);
    if (subject === undefined) return;
    // The reply's subject says all there is to know when it comes, so nothing is kept for it.
    const reply = `${link.prefix}${number}.${generation}.${nowMs}`;
    const order = readLockOrder(subject);
    if (order === undefined) link.nc.publish(subject, WORKING, { reply });
    // A lock's holder normally renews its lock itself. If it has not by half of the lease, it still
    // can't: this thread does so from then on. From there on each third counts, so that an election
    // of the servers has time to end.
    else if (
      this.#extender.isExtending(number, generation) ||
      elapsedMs(segment.confirmedMs(slot), nowMs) >= segment.leaseMs(slot) / 2
    )
      this.#extender.send(
        link.nc,
        { number, generation, nowMs, leaseMs: segment.leaseMs(slot) },
        order,
        reply,
      );
  }

  #confirmed(nc: NatsConnection, prefix: string, msg: Msg): void {
    if (readStatus(msg).code !== 0) return;
    const [number = 0, generation = 0, sentMs = 0] = msg.subject
      .slice(prefix.length)
      .split(".")
      .map(Number);
    const segment = this.#options.segments[Math.floor(number / SLOTS_PER_SEGMENT)];
    const slot = number % SLOTS_PER_SEGMENT;
    if (!this.#extender.isExtending(number, generation)) segment?.confirm(slot, generation, sentMs);
    else
      this.#extender.judge(nc, number, generation, msg).then(
        ({ kind }) => {
          if (kind === "extended") segment?.confirm(slot, generation, sentMs);
          // Its holder finds out by itself; here it is only extended no longer.
          if (kind === "superseded") segment?.declareLost(slot, generation);
        },
        () => {
          // No answer to the look. The next turn tries again, and the clock decides meanwhile.
        },
      );
  }
}
