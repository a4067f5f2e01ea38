import { type Envelope, generationsIn, type QueueMessage } from "@millrace/core";
import { runtimeEnvelope } from "../messages/runtime-envelope.ts";
import { machineOf } from "../machine/machine.ts";
import { headersOf, messageAt } from "../reads/next-message.ts";
import { readStream } from "../reads/read-stream.ts";
import { endsOf } from "../reads/scan.ts";
import type { ServerAccess } from "../store/server-access.ts";
import { type DedupeWindows, SURELY } from "../topology/dedupe-windows.ts";
import { plainBytes } from "../wire/plain-bytes.ts";

/** How many of the oldest jobs at a queue's gates are looked at. */
const MOST = 50_000;
const MOST_BYTES = 64 * 2 ** 20;
const LONGEST_READING_MS = 60_000;

/** By id: where its jobs lie. */
type Places = ReadonlyMap<string, readonly number[]>;

interface Reading {
  /** The machine's monotonic clock, before the reading began. */
  readonly begunAt: number;
  readonly places: Promise<Places>;
}

/**
 * Finds later generations of jobs at gates that may have forgotten their ids. As long as a gate
 * knows an id, the job is blocked once however often, and is looked for by nobody. So a reading of
 * a queue's gates does for half that time: what is blocked after it began is known by its id.
 */
export class BlockedGenerations {
  readonly #server: ServerAccess;
  readonly #windows: DedupeWindows;
  readonly #readings = new Map<string, Reading>();

  constructor(server: ServerAccess, windows: DedupeWindows) {
    this.#server = server;
    this.#windows = windows;
  }

  /** @param message whose successors are looked for */
  async of(
    { id, queue, generation }: Envelope,
    { storedAt }: Pick<QueueMessage, "storedAt">,
  ): Promise<readonly Envelope[]> {
    const trustedMs = (await this.#windows.ofGates()) * SURELY;
    if (machineOf(this.#server.nc).clock.now() - storedAt < trustedMs) return [];
    const places = await this.#read(queue, Math.min(trustedMs, LONGEST_READING_MS));
    const jobs = await Promise.all(
      (places.get(id) ?? []).map((sequence) => this.#jobAt(queue, sequence)),
    );
    return jobs.filter(
      (job) => job !== undefined && job.id === id && job.generation > generation,
    ) as Envelope[];
  }

  #read(queue: string, forMs: number): Promise<Places> {
    const { clock } = machineOf(this.#server.nc);
    const begunAt = clock.monotonic();
    const known = this.#readings.get(queue);
    if (known !== undefined && begunAt - known.begunAt < forMs) return known.places;
    const reading: Reading = { begunAt, places: this.#scan(queue) };
    this.#readings.set(queue, reading);
    const forget = (): void => {
      if (this.#readings.get(queue) === reading) this.#readings.delete(queue);
    };
    clock.setTimer(forMs, forget).unref?.();
    // A failure is not kept: the next call tries again.
    reading.places.catch(forget);
    return reading.places;
  }

  /** Their stream takes no direct reads, so a consumer reads it, in batches on every server. */
  async #scan(queue: string): Promise<Places> {
    const { nc, jsm, names } = this.#server;
    const places = new Map<string, number[]>();
    const ends = await endsOf(this.#server, names.blockedStream);
    if (ends === undefined || ends.messages === 0) return places;
    const filter = names.blocked(queue, "*");
    let bytes = 0;
    for await (const { sequence, headers, data } of readStream(nc, jsm, {
      ...{ stream: ends.stream, filter, limit: MOST },
    })) {
      for (const { id } of generationsIn(queue, headers["nats-msg-id"])) {
        const others = places.get(id);
        if (others === undefined) places.set(id, [sequence]);
        else others.push(sequence);
      }
      if ((bytes += data.length) >= MOST_BYTES) break;
    }
    return places;
  }

  /** @returns undefined where it has been let in since */
  async #jobAt(queue: string, sequence: number): Promise<Envelope | undefined> {
    const { jsm, names, maxValues } = this.#server;
    const stored = await messageAt(jsm, names.blockedStream, sequence);
    if (stored === undefined) return undefined;
    const body = plainBytes(stored.data);
    return runtimeEnvelope({ queue, body, headers: headersOf(stored) }, maxValues);
  }
}
