import type { Clock } from "@millrace/core";
import { HEARTBEAT_MS } from "./node-report.ts";

/**
 * One that is stored later waited for a leader, or for a disk. A shorter gap makes no node that
 * lives look lost.
 */
const SLOW_MS = HEARTBEAT_MS;

/**
 * After an outage each node that lives has said so after this long: between two tries it waits for
 * a heartbeat's interval at most, and a try takes some seconds.
 */
export const ALL_HEARD_AFTER_MS = 1.5 * HEARTBEAT_MS;

/**
 * What became of one node's heartbeats. Where the server stores none of its own, it may store none
 * of others' either, and their silence says nothing.
 */
export class Heartbeats {
  readonly #clock: Pick<Clock, "monotonic">;
  /** `Clock.monotonic()` of the first one in a row that was not stored. */
  #unstoredSince: number | undefined;
  /** Since when each was stored as soon as it was sent; undefined: the last one was not. */
  #steadySince: number | undefined;
  /** Its last one is under way or was stored, or none was: not where the node may say nothing. */
  #mayTell = false;

  constructor(clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
  }

  /** One is sent. */
  sent(): void {
    this.#unstoredSince ??= this.#clock.monotonic();
    this.#mayTell = true;
  }

  stored(): void {
    if (this.unstoredMs > SLOW_MS) this.#steadySince = undefined;
    this.#steadySince ??= this.#clock.monotonic();
    this.#unstoredSince = undefined;
  }

  /** The server, or who leads there, gave no answer or has no room. */
  missed(): void {
    this.#steadySince = undefined;
  }

  /**
   * The server has refused it.
   *
   * @param forGood it may not be written, so that it says nothing of the server
   */
  refused(forGood: boolean): void {
    this.#unstoredSince = undefined;
    this.#steadySince = undefined;
    this.#mayTell = !forGood;
  }

  /** For how long the server has stored none, milliseconds. */
  get unstoredMs(): number {
    if (this.#unstoredSince === undefined) return 0;
    return this.#clock.monotonic() - this.#unstoredSince;
  }

  /**
   * For how long the server has stored each one at once, milliseconds. Infinity for a node that
   * says nothing: it can't know.
   */
  get steadyMs(): number {
    if (!this.#mayTell) return Number.POSITIVE_INFINITY;
    if (this.#steadySince === undefined || this.unstoredMs > SLOW_MS) return 0;
    return this.#clock.monotonic() - this.#steadySince;
  }
}
