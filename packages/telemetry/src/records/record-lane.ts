import { setTimeout as sleep } from "node:timers/promises";
import {
  type Clock,
  type Logger,
  type MetricsCollector,
  MillraceError,
  recordError,
} from "@millrace/core";
import type { RecordDraft } from "./draft-record.ts";
import type { ExecutionRecord } from "./execution-record.ts";
import type { RecordHandler } from "./record-handler.ts";

export interface LaneOptions {
  readonly handler: RecordHandler;
  readonly maxRecords: number;
  readonly maxChars: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricsCollector;
}

const BATCH = 500;
/** A fifth of the thread at most. */
const MASKING_MS = 2;
const REST_MS = 8;
const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 30_000;
/** One line in this time says what was dropped in it. */
const REPORT_EVERY_MS = 30_000;
const PRUNE_EVERY_MS = 3_600_000;

/**
 * What waits for one handler, and the loop that hands it over: one call at a time, the same records
 * again where a call failed, and whatever finds no room meanwhile is dropped and counted. Handlers
 * don't wait for each other.
 */
export class RecordLane {
  readonly #options: LaneOptions;
  readonly #held: RecordDraft[] = [];
  #chars = 0;
  #dropped = 0;
  /** Dropped and not said yet. */
  #untold = 0;
  #toldAt = -Infinity;
  #prunedAt = -Infinity;
  #closing = false;
  #gaveUp = false;
  /** The running loop; undefined while there is nothing to write. */
  #loop: Promise<void> | undefined;
  #endPause: (() => void) | undefined;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  get dropped(): number {
    return this.#dropped;
  }

  /** Returns at once and never throws. */
  add(draft: RecordDraft): void {
    const { maxRecords, maxChars } = this.#options;
    if (this.#closing || this.#held.length >= maxRecords || this.#chars + draft.chars > maxChars) {
      this.#drop(this.#closing ? "the node is stopping" : "the handler is too slow, or fails");
      return;
    }
    this.#held.push(draft);
    this.#chars += draft.chars;
    this.wake();
  }

  /** Deletes what is too old where that is due, and writes what is held. */
  wake(): void {
    this.#loop ??= this.#run();
  }

  /** Writes out what is held, for `timeoutMs` at most; what is left then is dropped. */
  async close(timeoutMs: number): Promise<void> {
    this.#closing = true;
    this.#endPause?.();
    let cancel = (): void => {};
    const timeout = new Promise<void>((resolve) => {
      const timer = this.#options.clock.setTimer(timeoutMs, resolve);
      cancel = () => timer.cancel();
    });
    await Promise.race([this.#finish(), timeout]);
    cancel();
    this.#gaveUp = true;
    this.#endPause?.();
    this.#count(this.#held.length);
    this.#tell("the node stopped before they were written");
  }

  async #finish(): Promise<void> {
    await this.#loop;
    try {
      await this.#options.handler.close();
    } catch (error) {
      this.#complain(error, "an execution record handler could not be closed");
    }
  }

  async #run(): Promise<void> {
    // Not on the stack of whoever records: what it settles comes first, and a burst makes one
    // batch.
    await new Promise((resolve) => setImmediate(resolve));
    await this.#prune();
    let failures = 0;
    while (this.#held.length > 0 && !this.#gaveUp) {
      // On a busy node, or with a store that fails, this loop may never end.
      await this.#prune();
      const batch = this.#held.slice(0, BATCH);
      try {
        await this.#write(await this.#masked(batch));
        failures = 0;
      } catch (error) {
        this.#complain(error, "execution records could not be written; trying again");
        await this.#pause(Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures));
        failures += 1;
        continue;
      }
      if (this.#gaveUp) return;
      this.#held.splice(0, batch.length);
      for (const { chars } of batch) this.#chars -= chars;
    }
    this.#loop = undefined;
  }

  /**
   * Masking takes the thread that handlers run on, so it takes a little at a time and then leaves
   * the thread to them for longer: records rather wait, or are dropped, than slow jobs down. A
   * stopping node has no jobs left to wait for.
   */
  async #masked(batch: readonly RecordDraft[]): Promise<readonly ExecutionRecord[]> {
    const records: ExecutionRecord[] = [];
    let since = performance.now();
    for (const draft of batch) {
      records.push(draft.record());
      if (this.#closing || performance.now() - since < MASKING_MS) continue;
      await sleep(REST_MS);
      since = performance.now();
    }
    return records;
  }

  /**
   * Where a batch is refused, each of its records is tried by itself, so that one takes no others
   * along.
   */
  async #write(records: readonly ExecutionRecord[]): Promise<void> {
    try {
      await this.#options.handler.write(records);
    } catch (error) {
      if (!MillraceError.is(error) || error.code !== "record-refused") throw error;
      if (records.length > 1) {
        for (const record of records) await this.#write([record]);
        return;
      }
      this.#complain(error, "an execution record was refused");
      this.#drop("the handler refused them");
    }
  }

  async #prune(): Promise<void> {
    const { handler, clock } = this.#options;
    if (clock.monotonic() - this.#prunedAt < PRUNE_EVERY_MS || this.#closing) return;
    this.#prunedAt = clock.monotonic();
    try {
      await handler.prune?.(clock.now());
    } catch (error) {
      this.#complain(error, "old execution records could not be deleted");
    }
  }

  async #pause(ms: number): Promise<void> {
    // A stopping node doesn't wait out a long pause, nor does it hammer on what is broken.
    const waitMs = this.#closing ? FIRST_RETRY_MS : ms;
    await new Promise<void>((resolve) => {
      const timer = this.#options.clock.setTimer(waitMs, resolve);
      this.#endPause = () => {
        timer.cancel();
        resolve();
      };
    });
    this.#endPause = undefined;
  }

  #drop(why: string): void {
    this.#count(1);
    if (this.#options.clock.monotonic() - this.#toldAt >= REPORT_EVERY_MS) this.#tell(why);
  }

  #count(dropped: number): void {
    if (dropped === 0) return;
    const { handler, metrics } = this.#options;
    this.#dropped += dropped;
    this.#untold += dropped;
    metrics.increment(
      "millrace_execution_records_dropped_total",
      { handler: handler.name },
      dropped,
    );
  }

  #tell(why: string): void {
    if (this.#untold === 0) return;
    const { handler, clock, log } = this.#options;
    log.error(
      { handler: handler.name, dropped: this.#untold, droppedInAll: this.#dropped },
      `execution records were dropped: ${why}`,
    );
    this.#untold = 0;
    this.#toldAt = clock.monotonic();
  }

  #complain(error: unknown, what: string): void {
    this.#options.log.warn(
      { handler: this.#options.handler.name, error: recordError(error) },
      what,
    );
  }
}
