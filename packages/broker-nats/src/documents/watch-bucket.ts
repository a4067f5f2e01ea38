import type { Clock, Timer } from "@millrace/core";
import type { JetStreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { machineOf } from "../machine/machine.ts";
import { watchConnection } from "../connection/connection-events.ts";
import { isWithoutStream, request } from "../jetstream-errors.ts";
import { type BucketEntry, type BucketReader, openBucketReader } from "./bucket-reader.ts";

export interface BucketWatch {
  readonly nc: NatsConnection;
  readonly jsm: JetStreamManager;
  readonly bucket: string;
  /** Whether one that is not there is waited for. */
  readonly waits: boolean;
  /** The one key that is watched, as it is stored. Default: all. */
  readonly only?: string | undefined;
  readonly onEntry: (entry: BucketEntry) => void;
  readonly onProblem: (error: unknown, doing: string) => void;
}

const AGAIN_MS = 1_000;

/**
 * Tells of each change of a bucket from now on. A restarted server has forgotten who reads it, and
 * a member of a cluster that died takes its readers along; so reading is begun anew at every
 * reconnect and whenever a reader hears nothing more, where the last one got to.
 */
export async function watchBucket(options: BucketWatch): Promise<{ stop(): Promise<void> }> {
  const watcher = new BucketWatcher(options);
  await request(`watch ${options.bucket}`, () => watcher.begin());
  return { stop: () => watcher.stop() };
}

class BucketWatcher {
  readonly #options: BucketWatch;
  readonly #clock: Clock;
  readonly #unwatch: () => void;
  /** The first revision that was not told yet. */
  #next = 0;
  #reader: BucketReader | undefined;
  /** Beginnings follow each other, so that there is never a second watch. */
  #beginning: Promise<void> = Promise.resolve();
  #again: Timer | undefined;
  #stopped = false;

  constructor(options: BucketWatch) {
    this.#options = options;
    this.#clock = machineOf(options.nc).clock;
    this.#unwatch = watchConnection(options.nc, ({ type }) => {
      if (type === "reconnect") this.#beginAgain();
      if (type === "close") void this.stop();
    });
  }

  async begin(): Promise<void> {
    try {
      // What comes is told, not what is there.
      this.#next = (await this.#last()) + 1;
      await this.#open();
    } catch (error) {
      if (this.#isWaitedFor(error)) return;
      await this.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unwatch();
    this.#again?.cancel();
    this.#end();
  }

  #end(): void {
    this.#reader?.stop();
    this.#reader = undefined;
  }

  async #last(): Promise<number> {
    const { jsm, bucket } = this.#options;
    return (await jsm.streams.info(`KV_${bucket}`)).state.last_seq;
  }

  async #open(): Promise<void> {
    const { nc, jsm, bucket, only, onEntry } = this.#options;
    const reader = await openBucketReader({
      nc,
      jsm,
      ...{ bucket, only },
      from: this.#next,
      onEntry: (entry) => {
        if (this.#stopped || entry.revision < this.#next) return;
        this.#next = entry.revision + 1;
        onEntry(entry);
      },
      onLost: () => this.#beginAgain(),
    });
    if (this.#stopped) reader.stop();
    else this.#reader = reader;
  }

  /** Once it is made, all that is in it has come since. */
  #isWaitedFor(error: unknown): boolean {
    if (!this.#options.waits || !isWithoutStream(error)) return false;
    this.#next = 1;
    this.#again = this.#clock.setTimer(AGAIN_MS, () => this.#beginAgain());
    return true;
  }

  #beginAgain(): void {
    this.#again?.cancel();
    this.#beginning = this.#beginning.then(() => this.#reopen());
  }

  async #reopen(): Promise<void> {
    if (this.#stopped) return;
    const { bucket, onProblem } = this.#options;
    try {
      this.#end();
      // A server that lost its bucket begins to count anew.
      if (this.#next > (await this.#last()) + 1) this.#next = 1;
      await this.#open();
    } catch (error) {
      if (this.#stopped || this.#isWaitedFor(error)) return;
      onProblem(error, `watch ${bucket} after a reconnect; trying again`);
      this.#again = this.#clock.setTimer(AGAIN_MS, () => this.#beginAgain());
    }
  }
}
