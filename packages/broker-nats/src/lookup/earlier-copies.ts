import { type Envelope, isSameEnqueue, NO_MEMORY } from "@millrace/core";
import { hasRun } from "./moved-job-check.ts";
import { request } from "../jetstream-errors.ts";
import { machineOf } from "../machine/machine.ts";
import { endsOf, scan } from "../reads/scan.ts";
import { queuedJob } from "../reads/stored-message.ts";
import type { ServerAccess } from "../store/server-access.ts";
import { type DedupeWindows, SURELY } from "../topology/dedupe-windows.ts";

/** No server takes a shorter window. */
const SHORTEST_WINDOW_MS = 100;
/**
 * So many of a queue's messages are looked at, from the front. What was published before an outage
 * lies before all that came after it. A server without batches is asked for each one.
 */
const MOST = 20_000;
const MOST_ONE_BY_ONE = 2_000;
/** And no more once so many bytes have come: large jobs would hold up a release for minutes. */
const MOST_BYTES = 64 * 2 ** 20;
/** What a reading holds is let go after this. */
const LONGEST_READING_MS = 60_000;

type Copy = Pick<Envelope, "generation" | "createdAt" | "firstStoredAt" | "unkeyed">;
type Copies = ReadonlyMap<string, readonly Copy[]>;

/** A job that lies elsewhere, and may have been published to its queue from there. */
export interface Elsewhere {
  readonly queue: string;
  /** The soonest that it can have been, epoch milliseconds of the server's clock. */
  readonly publishedAt: number;
  /** When it was stored where it lies. */
  readonly storedAt: number;
  /** @returns undefined where it can't be read, which is buried by who gets it */
  readonly read: () => Envelope | undefined;
}

interface Reading {
  /** The machine's monotonic clock, before the reading began. */
  readonly begunAt: number;
  readonly copies: Promise<Copies>;
}

/**
 * Finds what somebody put into a queue and died before its place elsewhere was given up: a mover
 * before its ack, a releaser before the removal. While the queue remembers the message's id, a
 * second publication is a duplicate. This is for later.
 *
 * A queue is read once for all who ask within half its window: what was published after the reading
 * began is remembered, and what has left the queue since is on record.
 */
export class EarlierCopies {
  readonly #server: ServerAccess;
  readonly #windows: DedupeWindows;
  readonly #readings = new Map<string, Reading>();

  constructor(server: ServerAccess, windows: DedupeWindows) {
    this.#server = server;
    this.#windows = windows;
  }

  /**
   * Learns how long the queue remembers ids, so that what is late by less need not wait for it: it
   * would be overtaken.
   */
  prepare(queue: string): void {
    // A caller that has to know asks again, and fails then.
    this.#windows.of(queue).catch(() => {});
  }

  /** Whether the queue surely remembers what was published at this time. Asks nobody. */
  isFresh(queue: string, publishedAt: number): boolean {
    const windowMs = this.#windows.last(queue) ?? SHORTEST_WINDOW_MS;
    return this.#ageOf(publishedAt) < windowMs * SURELY;
  }

  /** Whether the job has been put into its queue, so long ago that its id may be forgotten. */
  async has({ queue, publishedAt, storedAt, read }: Elsewhere): Promise<boolean> {
    const trustedMs = (await this.#windows.of(queue)) * SURELY;
    if (this.#ageOf(publishedAt) < trustedMs) return false;
    const job = read();
    if (job === undefined) return false;
    // The queue first: what leaves it meanwhile has left a record by then.
    const copies = await this.#read(queue, Math.min(trustedMs, LONGEST_READING_MS));
    if (copies.get(job.id)?.some((copy) => isOf(copy, job)) === true) return true;
    return request(`look for the records of ${job.id}`, () =>
      hasRun(this.#server, job, { since: storedAt }),
    );
  }

  #ageOf(at: number): number {
    return machineOf(this.#server.nc).clock.now() - at;
  }

  #read(queue: string, forMs: number): Promise<Copies> {
    const { clock } = machineOf(this.#server.nc);
    const begunAt = clock.monotonic();
    const known = this.#readings.get(queue);
    if (known !== undefined && begunAt - known.begunAt < forMs) return known.copies;
    const copies = request(`look for copies in the queue ${queue}`, () => this.#scan(queue));
    const reading: Reading = { begunAt, copies };
    this.#readings.set(queue, reading);
    const forget = (): void => {
      if (this.#readings.get(queue) === reading) this.#readings.delete(queue);
    };
    clock.setTimer(forMs, forget).unref?.();
    // A failure is not kept: the next call tries again.
    copies.catch(forget);
    return copies;
  }

  async #scan(queue: string): Promise<Copies> {
    const { names } = this.#server;
    const found = new Map<string, Copy[]>();
    const ends = await endsOf(this.#server, names.queueStream(queue));
    if (ends === undefined) return found;
    const most = ends.batches ? MOST : MOST_ONE_BY_ONE;
    const range = { ends, from: ends.first, until: ends.last, subject: names.requeueAll };
    let [count, bytes] = [0, 0];
    for await (const messages of scan(this.#server, range)) {
      for (const stored of messages) {
        bytes += stored.data.length;
        const read = queuedJob(this.#server, stored)?.read;
        if (read?.ok !== true) continue;
        const { id } = read.envelope;
        const copy = copyOf(read.envelope);
        const others = found.get(id);
        if (others === undefined) found.set(id, [copy]);
        else others.push(copy);
      }
      if ((count += messages.length) >= most || bytes >= MOST_BYTES) break;
    }
    return found;
  }
}

/** No more than is compared: many are held. */
function copyOf({ generation, createdAt, firstStoredAt, unkeyed }: Envelope): Copy {
  return {
    ...{ generation, createdAt },
    ...(firstStoredAt === undefined ? {} : { firstStoredAt }),
    ...(unkeyed === undefined ? {} : { unkeyed }),
  };
}

function isOf(copy: Copy, job: Envelope): boolean {
  return (
    copy.generation >= job.generation &&
    (isSameEnqueue(copy, job, NO_MEMORY) ?? copy.createdAt === job.createdAt)
  );
}
