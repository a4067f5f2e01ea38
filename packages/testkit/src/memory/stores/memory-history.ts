import {
  alreadyEnded,
  AS_IT_IS,
  type Clock,
  decodeBody,
  encodeMsgpack,
  type EnqueueRef,
  type HistoryQuery,
  type HistoryRecord,
  type HistoryStore,
  type IdMemory,
  inOrderOfMessages,
  isItsEnd,
  type JobRef,
  outranks,
  type PlacedRecord,
  requirePlace,
  type StoredRecord,
  type Stretch,
  type StretchQuery,
  type TailQuery,
} from "@millrace/core";
import type { Connection } from "../connection.ts";

const MSGPACK = "application/msgpack";

interface Line {
  readonly id: string;
  readonly queue: string;
  readonly storedAt: number;
  readonly bytes: Uint8Array;
}

interface Follower {
  /** Without an id: every job's. */
  readonly query: Partial<HistoryQuery>;
  readonly notify: (bytes: Uint8Array) => void;
}

/** As a server's `max_payload` is by default, without the room for a record's subject. */
const MOST_BYTES = 1_048_576 - 1_024;

/** The outcome itself is never lost: an output that a server would not take is left out. */
function bytesOf(record: HistoryRecord): Uint8Array {
  const limits = { ...AS_IT_IS, wellFormed: true };
  const bytes = encodeMsgpack(record, limits);
  if (bytes.length <= MOST_BYTES || record.output === undefined) return bytes;
  const { output: _output, ...rest } = record;
  return encodeMsgpack({ ...rest, outputDropped: "too-large" }, limits);
}

/** All history, oldest first, bounded by count; kept as the bytes a stream would keep. */
export class HistoryTape {
  readonly #limit: number;
  readonly #clock: Clock;
  readonly #memoryOf: (queue: string) => IdMemory;
  readonly #lines: Line[] = [];
  /** How many have gone because there were too many. */
  #gone = 0;
  readonly #followers = new Set<Follower>();
  /** The last end and the last requeue of each id. */
  readonly #newest = new Map<string, Line>();

  constructor(limit: number, clock: Clock, memoryOf: (queue: string) => IdMemory) {
    this.#limit = limit;
    this.#clock = clock;
    this.#memoryOf = memoryOf;
  }

  /**
   * @returns false where this very end is there already
   * @throws MillraceError `unserializable-payload`, `already-ended`
   */
  add(record: HistoryRecord): boolean {
    const line: Line = {
      id: record.id,
      queue: record.queue,
      storedAt: this.#clock.now(),
      bytes: bytesOf(record),
    };
    if (this.#hasEnd(record, line)) return false;
    const kind = record.state === "requeued" ? "requeued" : "ended";
    this.#newest.set(`${record.queue} ${record.id} ${kind}`, line);
    this.#lines.push(line);
    if (this.#lines.length > this.#limit) {
      this.#lines.shift();
      this.#gone += 1;
    }
    for (const follower of [...this.#followers])
      if (fits(line, follower.query)) follower.notify(line.bytes);
    return true;
  }

  #hasEnd(record: HistoryRecord, line: Line): boolean {
    if (record.state === "requeued" || record.firstStoredAt === undefined) return false;
    const last = this.#newest.get(`${record.queue} ${record.id} ended`);
    if (last !== undefined && Buffer.compare(last.bytes, line.bytes) === 0) return true;
    if (this.endOf(record) !== undefined) throw alreadyEnded(record);
    return false;
  }

  endOf(job: EnqueueRef): StoredRecord | undefined {
    if (!this.#newest.has(`${job.queue} ${job.id} ended`)) return undefined;
    const memory = this.#memoryOf(job.queue);
    return this.stored(job).findLast(
      (end) => end.record.state !== "requeued" && isItsEnd(end, job, memory),
    );
  }

  stored(query: HistoryQuery): readonly StoredRecord[] {
    return this.#lines
      .filter((line) => fits(line, query))
      .map(({ bytes, storedAt }) => ({ record: decode(bytes), storedAt }));
  }

  last({ queue, id }: JobRef, kind: "ended" | "requeued"): StoredRecord | undefined {
    const line = this.#newest.get(`${queue} ${id} ${kind}`);
    return line && { record: decode(line.bytes), storedAt: line.storedAt };
  }

  read(query: HistoryQuery): readonly HistoryRecord[] {
    const found = new Map<string, HistoryRecord>();
    for (const line of this.#lines) {
      if (!fits(line, query)) continue;
      const record = decode(line.bytes);
      const key = `${record.queue} ${record.sequence ?? ""} ${record.generation} ${record.state}`;
      // A settlement that was repeated up to its ack has written its record twice.
      if (!found.has(key)) found.set(key, record);
    }
    return inOrderOfMessages([...found.values()]);
  }

  recent({
    queue,
    limit,
  }: {
    readonly queue?: string;
    readonly limit: number;
  }): readonly HistoryRecord[] {
    const newest = new Map<string, HistoryRecord>();
    for (const line of this.#lines.toReversed()) {
      if (queue !== undefined && line.queue !== queue) continue;
      const key = `${line.queue} ${line.id}`;
      const record = decode(line.bytes);
      const known = newest.get(key);
      if (known === undefined ? newest.size < limit : outranks(record, known))
        newest.set(key, record);
    }
    return [...newest.values()];
  }

  tail({ withinMs, limit }: TailQuery): readonly StoredRecord[] {
    const newest = this.#lines.at(-1);
    if (newest === undefined) return [];
    return this.#lines
      .slice(Math.max(0, this.#lines.length - limit))
      .filter(({ storedAt }) => storedAt >= newest.storedAt - withinMs)
      .map(({ bytes, storedAt }) => ({ record: decode(bytes), storedAt }));
  }

  stretch({ queue, kind, after, limit = 500 }: StretchQuery): Stretch {
    const oldest = this.#gone + 1;
    const newest = this.#gone + this.#lines.length;
    const records: PlacedRecord[] = [];
    for (const [index, { bytes, storedAt, queue: of }] of this.#lines.entries()) {
      const position = oldest + index;
      if (position <= after || (queue !== undefined && of !== queue)) continue;
      const record = decode(bytes);
      const isKind = kind === undefined || (record.state === "requeued") === (kind === "requeued");
      if (isKind) records.push({ record, storedAt, position });
      if (records.length === limit) return { oldest, newest, until: position, records };
    }
    return { oldest, newest, until: Math.max(after, newest), records };
  }

  follow(follower: Follower): () => void {
    this.#followers.add(follower);
    return () => void this.#followers.delete(follower);
  }
}

/** One connection's access to the history. */
export class MemoryHistory implements HistoryStore {
  readonly #tape: HistoryTape;
  readonly #connection: Connection;

  constructor(tape: HistoryTape, connection: Connection) {
    this.#tape = tape;
    this.#connection = connection;
  }

  async read(query: HistoryQuery): Promise<readonly HistoryRecord[]> {
    this.#connection.reach();
    return this.#tape.read(requirePlace(query));
  }

  async stored(query: HistoryQuery): Promise<readonly StoredRecord[]> {
    this.#connection.reach();
    return this.#tape.stored(requirePlace(query));
  }

  async endOf(job: EnqueueRef): Promise<StoredRecord | undefined> {
    this.#connection.reach();
    return this.#tape.endOf(job);
  }

  async last(job: JobRef, kind: "ended" | "requeued"): Promise<StoredRecord | undefined> {
    this.#connection.reach();
    return this.#tape.last(requirePlace(job), kind);
  }

  async recent(options: {
    readonly queue?: string;
    readonly limit: number;
  }): Promise<readonly HistoryRecord[]> {
    this.#connection.reach();
    return this.#tape.recent(requirePlace(options));
  }

  async stretch(query: StretchQuery): Promise<Stretch> {
    this.#connection.reach();
    return this.#tape.stretch(requirePlace(query));
  }

  async tail(query: TailQuery): Promise<readonly StoredRecord[]> {
    this.#connection.reach();
    return this.#tape.tail(query);
  }

  async follow(
    query: HistoryQuery,
    listener: (record: HistoryRecord) => void,
  ): Promise<{ stop(): Promise<void> }> {
    return this.#listen(query, listener);
  }

  async watch(
    { queue }: { readonly queue?: string },
    listener: (record: HistoryRecord) => void,
  ): Promise<{ stop(): Promise<void> }> {
    return this.#listen(queue === undefined ? {} : { queue }, listener);
  }

  #listen(
    query: Partial<HistoryQuery>,
    listener: (record: HistoryRecord) => void,
  ): { stop(): Promise<void> } {
    this.#connection.reach();
    requirePlace(query);
    let following = true;
    const notify = (bytes: Uint8Array): void =>
      this.#connection.deliver(() => {
        if (following) listener(decode(bytes));
      });
    const unfollow = this.#tape.follow({ query, notify });
    return this.#connection.attach(() => {
      following = false;
      unfollow();
    });
  }
}

function fits(line: Line, query: Partial<HistoryQuery>): boolean {
  if (query.id !== undefined && line.id !== query.id) return false;
  return query.queue === undefined || line.queue === query.queue;
}

/** Only bytes that `add` has made from a record are read here, so the cast holds. */
function decode(bytes: Uint8Array): HistoryRecord {
  return decodeBody(bytes, MSGPACK) as HistoryRecord;
}
