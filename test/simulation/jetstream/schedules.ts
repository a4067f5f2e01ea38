import type { Clock, Timer } from "@millrace/core";
import { refusals } from "./api-types.ts";
import { blockOf, fieldOf, fieldsOf } from "./packet.ts";
import type { Stored } from "./stored.ts";

/** A server's schedules never fire sooner. */
const SOONEST_MS = 250;

interface Scheduled {
  readonly config: { readonly allow_msg_schedules?: boolean };
  takes(subject: string): boolean;
}

/** A stream's messages that wait for their time: `@at`, which is all that is used. */
export class Schedules {
  readonly #clock: Clock;
  /** Older servers take such a message for any other. */
  readonly #isKnown: boolean;
  readonly #fire: (stored: Stored) => void;
  readonly #timers = new Map<number, Timer>();

  constructor(clock: Clock, isKnown: boolean, fire: (stored: Stored) => void) {
    this.#clock = clock;
    this.#isKnown = isKnown;
    this.#fire = fire;
  }

  /**
   * @returns when it is due, epoch milliseconds; undefined for a message that is no schedule, or
   *   where nobody knows of any
   */
  read(headers: Uint8Array | undefined, stream: Scheduled): number | undefined {
    const schedule = this.#isKnown ? fieldOf(headers, "Nats-Schedule") : undefined;
    if (schedule === undefined) return undefined;
    if (stream.config.allow_msg_schedules !== true) throw refusals.schedulesOff();
    const dueMs = schedule.startsWith("@at ") ? Date.parse(schedule.slice(4)) : Number.NaN;
    if (Number.isNaN(dueMs)) throw refusals.badSchedule();
    const target = fieldOf(headers, "Nats-Schedule-Target");
    if (target === undefined || !stream.takes(target)) throw refusals.badTarget();
    return dueMs;
  }

  arm(stored: Stored, dueMs: number): void {
    const delayMs = Math.max(SOONEST_MS, dueMs - this.#clock.now());
    this.#timers.set(
      stored.seq,
      this.#clock.setTimer(delayMs, () => {
        this.#timers.delete(stored.seq);
        this.#fire(stored);
      }),
    );
  }

  disarm(seq: number): void {
    this.#timers.get(seq)?.cancel();
    this.#timers.delete(seq);
  }

  clear(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }
}

/** What a fired message carries: its own headers, none of the server's, and where it came from. */
export function withoutSchedule(headers: Uint8Array | undefined, scheduler: string): Uint8Array {
  return blockOf([
    ...fieldsOf(headers).filter(([name]) => !name.startsWith("Nats-")),
    ["Nats-Scheduler", scheduler],
    ["Nats-Schedule-Next", "purge"],
  ]);
}
