import {
  type EnqueueRef,
  type IdMemory,
  isItsEnd,
  NO_MEMORY,
  type StoredRecord,
} from "@millrace/core";
import { millis } from "@nats-io/nats-core";
import { STREAM_NOT_FOUND } from "../error-codes.ts";
import { apiCode, request } from "../jetstream-errors.ts";
import { machineOf } from "../machine/machine.ts";
import type { ServerAccess } from "../store/server-access.ts";

/** A queue's dedupe window is an operator's setting that seldom changes. */
const BELIEVED_MS = 60_000;
/**
 * The share of the window for which a job's id is surely remembered, although clocks differ and
 * publishing takes time.
 */
export const SURELY = 0.5;

/** In the place of a queue's name, which has no dot. */
const GATES = ".gates";

/** How long each queue remembers message ids, and the stream of what is blocked at gates. */
export class DedupeWindows {
  readonly #server: ServerAccess;
  readonly #known = new Map<string, { readonly ms: Promise<number>; readonly untilMs: number }>();
  readonly #last = new Map<string, number>();

  constructor(server: ServerAccess) {
    this.#server = server;
  }

  /**
   * Asked once for all who ask together.
   * @returns milliseconds; for ever where there is no such queue
   */
  of(queue: string): Promise<number> {
    const known = this.#known.get(queue);
    const now = machineOf(this.#server.nc).clock.monotonic();
    if (known !== undefined && now < known.untilMs) return known.ms;
    const ms = this.#ask(queue);
    this.#known.set(queue, { ms, untilMs: now + BELIEVED_MS });
    // A failure is not kept: the next call tries again.
    ms.then(
      (answer) => this.#note(queue, answer),
      () => this.#known.delete(queue),
    );
    return ms;
  }

  /** The same of the stream of what is blocked. */
  ofGates(): Promise<number> {
    return this.of(GATES);
  }

  /** The last answer to `of`, whenever that was; none where there was no such queue. */
  last(queue: string): number | undefined {
    return this.#last.get(queue);
  }

  /** What a queue remembers of ids, asked anew each time. */
  async memoryOf(queue: string): Promise<IdMemory> {
    return (await this.#look(queue)) ?? NO_MEMORY;
  }

  /** Whether an end keeps another of its id from being recorded, by what its queue remembers. */
  async isItsEnd(end: StoredRecord, job: EnqueueRef): Promise<boolean> {
    if (isItsEnd(end, job, NO_MEMORY)) return true;
    const windowMs = await this.of(job.queue);
    if (!isItsEnd(end, job, { windowMs, since: 0 })) return false;
    return isItsEnd(end, job, await this.memoryOf(job.queue));
  }

  #note(queue: string, ms: number): void {
    // A queue that comes back remembers nothing for ever.
    if (Number.isFinite(ms)) this.#last.set(queue, ms);
    else this.#last.delete(queue);
  }

  async #ask(queue: string): Promise<number> {
    return (await this.#look(queue))?.windowMs ?? Number.POSITIVE_INFINITY;
  }

  /** @returns undefined where there is no such queue */
  #look(queue: string): Promise<IdMemory | undefined> {
    const { jsm, names } = this.#server;
    const stream = queue === GATES ? names.blockedStream : names.queueStream(queue);
    return request(`look at the stream ${stream}`, async () => {
      try {
        const { config, created } = await jsm.streams.info(stream);
        return { windowMs: millis(config.duplicate_window), since: Date.parse(created) };
      } catch (error) {
        if (apiCode(error) === STREAM_NOT_FOUND) return undefined;
        throw error;
      }
    });
  }
}
