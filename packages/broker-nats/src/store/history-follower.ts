import type { Clock, HistoryRecord } from "@millrace/core";
import { quietSleep } from "../machine/timers.ts";

/**
 * Between two looks for a record that was heard and is not stored yet: the first, and the longest.
 */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;

/**
 * Tells of a job's records once each, oldest first, and only of those that are stored. A subscriber
 * hears a record as it is published. In a cluster without a leader, or on the smaller side of a
 * partition, it may never be confirmed; then the job runs again and may end otherwise.
 */
export class HistoryFollower {
  readonly #clock: Clock;
  readonly #read: () => Promise<readonly HistoryRecord[]>;
  readonly #listener: (record: HistoryRecord) => void;
  readonly #onProblem: (error: unknown) => void;
  readonly #told = new Set<string>();
  /** Heard, and not seen in the store so far. */
  readonly #heard = new Map<string, HistoryRecord>();
  /** Records may have come while nothing could be heard. */
  #missed = false;
  /** Something came up during a look. */
  #again = false;
  #looks = false;
  #stopped = false;

  constructor(
    clock: Clock,
    read: () => Promise<readonly HistoryRecord[]>,
    listener: (record: HistoryRecord) => void,
    onProblem: (error: unknown) => void,
  ) {
    this.#clock = clock;
    this.#read = read;
    this.#listener = listener;
    this.#onProblem = onProblem;
  }

  /** A record was published, whatever becomes of it. */
  heard(record: HistoryRecord): void {
    const key = recordKey(record);
    if (this.#told.has(key)) return;
    this.#heard.set(key, record);
    this.#look();
  }

  /** The connection was away: what was published meanwhile was not heard. */
  missed(): void {
    this.#missed = true;
    this.#look();
  }

  stop(): void {
    this.#stopped = true;
  }

  #look(): void {
    this.#again = true;
    if (!this.#looks) void this.#lookOn();
  }

  async #lookOn(): Promise<void> {
    this.#looks = true;
    let pauseMs = FIRST_PAUSE_MS;
    while (!this.#stopped && (this.#again || this.#missed || this.#heard.size > 0)) {
      if (!this.#again) {
        await quietSleep(this.#clock, pauseMs);
        pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
      }
      this.#again = false;
      await this.#lookOnce();
    }
    this.#looks = false;
  }

  async #lookOnce(): Promise<void> {
    const missed = this.#missed;
    this.#missed = false;
    try {
      for (const record of await this.#read()) this.#found(record, missed);
    } catch (error) {
      this.#missed ||= missed;
      if (!this.#stopped) this.#onProblem(error);
    }
  }

  #found(record: HistoryRecord, missed: boolean): void {
    const key = recordKey(record);
    const isNew = (missed || this.#heard.has(key)) && !this.#told.has(key);
    for (const [other, { generation }] of this.#heard)
      // What came before a record that is stored and isn't there itself will not come any more.
      if (other === key || generation < record.generation) this.#heard.delete(other);
    if (!isNew || this.#stopped) return;
    this.#told.add(key);
    this.#listener(record);
  }
}

/** The same for every copy of a record. */
export function recordKey(record: HistoryRecord): string {
  return `${record.queue}/${record.sequence ?? ""}/${record.generation}/${record.state}`;
}
