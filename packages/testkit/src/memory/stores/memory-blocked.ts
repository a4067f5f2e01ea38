import {
  type BlockedGate,
  type BlockedJob,
  type BlockedQuery,
  type BlockedStore,
  isMeant,
  type MeantRelease,
  type QueueMessage,
  readEnvelope,
  type ReleaseOptions,
} from "@millrace/core";
import type { MemoryQueue } from "../memory-queue.ts";
import type { NewMessage } from "../publication.ts";
import { withinBytes } from "./within-bytes.ts";

export interface Blocked {
  readonly queue: string;
  readonly gate: string;
  readonly storedAt: number;
  readonly publication: NewMessage;
}

/** All blocked jobs, shared by every connection. */
export class BlockedRack {
  readonly #jobs = new Map<number, Blocked>();
  readonly #known = new Set<string>();
  #lastSequence = 0;

  /** A job that is added again is there once, also after it was let in. */
  add(job: Blocked): void {
    // Ids are of a queue.
    const known = `${job.queue}/${job.publication.messageId}`;
    if (this.#known.has(known)) return;
    this.#known.add(known);
    this.#jobs.set((this.#lastSequence += 1), job);
  }

  /** The sequence of the newest one there ever was. */
  get newest(): number {
    return this.#lastSequence;
  }

  take(sequence: number): void {
    this.#jobs.delete(sequence);
  }

  entries(queue?: string, gate?: string): readonly (readonly [number, Blocked])[] {
    return [...this.#jobs].filter(
      ([, job]) =>
        (queue === undefined || job.queue === queue) && (gate === undefined || job.gate === gate),
    );
  }
}

/** One connection's access to the rack. */
export class MemoryBlocked implements BlockedStore {
  readonly #rack: BlockedRack;
  readonly #queue: (name: string) => MemoryQueue;
  readonly #reach: () => void;

  /** @param reach throws where the connection can't be used */
  constructor(rack: BlockedRack, queue: (name: string) => MemoryQueue, reach: () => void) {
    this.#rack = rack;
    this.#queue = queue;
    this.#reach = reach;
  }

  async release(
    queue: string,
    gate: string,
    count: number,
    { permits = [] }: ReleaseOptions = {},
  ): Promise<number> {
    this.#reach();
    const oldest = this.#rack.entries(queue, gate).slice(0, count);
    oldest.forEach(([sequence, job], index) => this.#move(sequence, job, permits[index]));
    return oldest.length;
  }

  async releaseJob(
    queue: string,
    id: string,
    { sequence: at, ...meant }: MeantRelease = {},
  ): Promise<boolean> {
    this.#reach();
    const found = this.#rack.entries(queue).find(([sequence, job]) => {
      if (at !== undefined && at !== sequence) return false;
      const envelope = jobOf(0, job)?.envelope;
      return envelope?.id === id && isMeant(meant, envelope);
    });
    if (found === undefined) return false;
    this.#move(...found, undefined);
    return true;
  }

  async gates(queue?: string): Promise<readonly BlockedGate[]> {
    this.#reach();
    const gates = new Map<string, BlockedGate>();
    for (const [, job] of this.#rack.entries(queue)) {
      const key = JSON.stringify([job.queue, job.gate]);
      const count = (gates.get(key)?.count ?? 0) + 1;
      gates.set(key, { queue: job.queue, gate: job.gate, count });
    }
    return [...gates.values()];
  }

  async list(query: BlockedQuery = {}): Promise<readonly BlockedJob[]> {
    const { queue, gate, limit = 100, after = 0, until = Infinity, bytes } = query;
    this.#reach();
    const part = this.#rack
      .entries(queue, gate)
      .filter(([sequence]) => sequence > after && sequence <= until)
      .slice(0, limit)
      .map(([sequence, job]) => ({ ...job, sequence }));
    return withinBytes(part, bytes, ({ publication }) => publication.body).flatMap(
      ({ sequence, ...job }) => jobOf(sequence, job) ?? [],
    );
  }

  async count(queue?: string): Promise<number> {
    this.#reach();
    return this.#rack.entries(queue).length;
  }

  async newest(): Promise<number> {
    this.#reach();
    return this.#rack.newest;
  }

  async purge(queue: string, gate?: string): Promise<number> {
    this.#reach();
    const found = this.#rack.entries(queue, gate);
    for (const [sequence] of found) this.#rack.take(sequence);
    return found.length;
  }

  /** @throws MillraceError `queue-full`, `queue-not-found`: then it stays blocked */
  #move(
    sequence: number,
    { queue, gate, storedAt, publication }: Blocked,
    permit: string | undefined,
  ): void {
    const headers: Record<string, string> = {
      ...publication.headers,
      "millrace-gate": gate,
      "millrace-blocked-at": String(storedAt),
    };
    if (permit !== undefined) headers["millrace-permit"] = permit;
    this.#queue(queue).publish({ ...publication, headers });
    this.#rack.take(sequence);
  }
}

/** A blocked job as the message it will be. */
export function messageOfBlocked({
  queue,
  storedAt,
  publication: { messageId: _, ...rest },
}: Blocked): QueueMessage {
  return { ...rest, queue, sequence: 0, storedAt };
}

function jobOf(sequence: number, job: Blocked): BlockedJob | undefined {
  const read = readEnvelope(messageOfBlocked(job));
  return read.ok
    ? { envelope: read.envelope, gate: job.gate, sequence, storedAt: job.storedAt }
    : undefined;
}
