import {
  type EnqueueRef,
  type HistoryQuery,
  type HistoryRecord,
  type HistoryStore,
  inOrderOfMessages,
  type JobRef,
  outranks,
  type PlacedRecord,
  requirePlace,
  type StoredRecord,
  type Stretch,
  type StretchQuery,
  type TailQuery,
} from "@millrace/core";
import { machineOf } from "../machine/machine.ts";
import { subscribe } from "../connection/subscribe.ts";
import { STREAM_NOT_FOUND } from "../error-codes.ts";
import { apiCode, request } from "../jetstream-errors.ts";
import { readHistoryRecord } from "../messages/history-message.ts";
import type { JobEnds } from "../settlement/job-ends.ts";
import { HistoryFollower, recordKey } from "./history-follower.ts";
import { lastMessage, WHOLE_STREAM } from "../reads/next-message.ts";
import { readStream, type StreamRange } from "../reads/read-stream.ts";
import { tailBounds } from "../reads/stream-tail.ts";
import { plainBytes } from "../wire/plain-bytes.ts";
import type { ServerAccess } from "./server-access.ts";

/** How many records the first look from the end takes, for each job that is asked for. */
const LOOK_BACK = 4;
/** The records of a stretch, and how many of them are asked of the leader one by one. */
const STRETCH = 500;
const STRETCH_LEADER_READS = 20;
/** After about so many bytes a stretch is long enough, whatever was asked for. */
const STRETCH_BYTES = 4 * 2 ** 20;

export class NatsHistory implements HistoryStore {
  readonly #server: ServerAccess;
  readonly #ends: JobEnds;
  readonly #onProblem: (error: unknown, doing: string) => void;

  constructor(
    server: ServerAccess,
    onProblem: (error: unknown, doing: string) => void,
    ends: JobEnds,
  ) {
    this.#server = server;
    this.#ends = ends;
    this.#onProblem = onProblem;
  }

  async read(query: HistoryQuery): Promise<readonly HistoryRecord[]> {
    const records: HistoryRecord[] = [];
    const seen = new Set<string>();
    for await (const { record } of this.#records(this.#filterOf(query))) {
      const key = recordKey(record);
      if (seen.has(key)) continue;
      seen.add(key);
      records.push(record);
    }
    return inOrderOfMessages(records);
  }

  async stored(query: HistoryQuery): Promise<readonly StoredRecord[]> {
    const records: StoredRecord[] = [];
    for await (const stored of this.#records(this.#filterOf(query))) records.push(stored);
    return records;
  }

  async endOf(job: EnqueueRef): Promise<StoredRecord | undefined> {
    return (await this.#ends.of(job)).end;
  }

  /**
   * By its whole subject: with a wildcard the server would search a long history from end to end.
   */
  async last(job: JobRef, kind: "ended" | "requeued"): Promise<StoredRecord | undefined> {
    const { queue, id } = requirePlace(job);
    const { jsm, names } = this.#server;
    return request("read the history", async () => {
      const stored = await lastMessage(jsm, names.historyStream, names.history(queue, id, kind));
      const record = stored && readHistoryRecord(plainBytes(stored.data));
      return record && { record, storedAt: stored.time.getTime() };
    });
  }

  /**
   * Looks back from the end in ever longer stretches until it has met enough jobs, so its work
   * follows `limit`, not the length of the history.
   */
  async recent(options: {
    readonly queue?: string;
    readonly limit: number;
  }): Promise<readonly HistoryRecord[]> {
    const filter = this.#filterOf(options);
    const ends = await this.#bounds();
    if (ends === undefined || options.limit < 1) return [];
    const newest = new Map<string, HistoryRecord>();
    let until = ends.last;
    for (
      let length = options.limit * LOOK_BACK;
      until >= ends.first && newest.size < options.limit;
      length *= 2
    ) {
      const from = Math.max(ends.first, until - length + 1);
      const stretch: HistoryRecord[] = [];
      for await (const { record } of this.#records(filter, { from, until })) stretch.push(record);
      for (const record of stretch.reverse()) {
        const key = `${record.queue}/${record.id}`;
        const known = newest.get(key);
        if (known === undefined ? newest.size < options.limit : outranks(record, known))
          newest.set(key, record);
      }
      until = from - 1;
    }
    return [...newest.values()];
  }

  async tail(query: TailQuery): Promise<readonly StoredRecord[]> {
    const of = { stream: this.#server.names.historyStream, doing: "read the history" };
    const bounds = await tailBounds(this.#server, of, query);
    if (bounds === undefined) return [];
    const records: StoredRecord[] = [];
    for await (const stored of this.#records(WHOLE_STREAM, bounds))
      records.push({ ...stored, record: withoutResult(stored.record) });
    return records;
  }

  async stretch(query: StretchQuery): Promise<Stretch> {
    const { after, limit = STRETCH } = query;
    const filter = this.#filterOf(query);
    const ends = await this.#bounds();
    if (ends === undefined) return { oldest: 1, newest: 0, until: 0, records: [] };
    // A stream that nothing was ever stored in begins at 0 or 1, as the server's version has it.
    const [oldest, newest] = [Math.max(1, ends.first), ends.last];
    const records: PlacedRecord[] = [];
    const bounds = { limit, bytes: STRETCH_BYTES, leaderReads: STRETCH_LEADER_READS };
    const range = { from: after + 1, until: newest, ...bounds };
    let [count, held, until] = [0, 0, after];
    // To its end: what was sent and not taken would be sent again for the next stretch.
    if (newest > after)
      for await (const { position, record, bytes } of this.#messages(filter, range)) {
        if (record !== undefined) records.push(record);
        count += 1;
        held += bytes;
        until = position;
      }
    const isFull = count >= limit || held >= STRETCH_BYTES;
    return { oldest, newest, until: isFull ? until : Math.max(after, newest), records };
  }

  async follow(
    query: HistoryQuery,
    listener: (record: HistoryRecord) => void,
  ): Promise<{ stop(): Promise<void> }> {
    const doing = "follow a job";
    const problem = (error: unknown): void => this.#onProblem(error, doing);
    const follower = new HistoryFollower(
      machineOf(this.#server.nc).clock,
      () => this.read(query),
      listener,
      problem,
    );
    const listening = await subscribe(this.#server, {
      subject: this.#subjectOf(query),
      doing,
      onProblem: problem,
      hear: (msg) => {
        const record = readHistoryRecord(msg.data);
        if (record !== undefined) follower.heard(record);
      },
      onMissed: () => follower.missed(),
    });
    return {
      stop: () => {
        follower.stop();
        return listening.stop();
      },
    };
  }

  async watch(
    query: { readonly queue?: string },
    listener: (record: HistoryRecord) => void,
  ): Promise<{ stop(): Promise<void> }> {
    return subscribe(this.#server, {
      subject: this.#subjectOf(query),
      doing: "watch the history",
      onProblem: this.#onProblem,
      hear: (msg) => {
        const record = readHistoryRecord(msg.data);
        if (record !== undefined) listener(record);
      },
    });
  }

  /**
   * To listen on.
   *
   * @throws MillraceError `invalid-name`
   */
  #subjectOf(query: OfJobs): string {
    const { queue, id } = requirePlace(query);
    return this.#server.names.history(queue, id, query.kind);
  }

  /**
   * To read by.
   *
   * @throws MillraceError `invalid-name`
   */
  #filterOf(query: OfJobs): string {
    const { queue, id, kind } = query;
    const isOfAll = queue === undefined && id === undefined && kind === undefined;
    return isOfAll ? WHOLE_STREAM : this.#subjectOf(query);
  }

  async *#records(filter: string, range: RecordsRange = {}): AsyncGenerator<PlacedRecord> {
    for await (const { record } of this.#messages(filter, range))
      if (record !== undefined) yield record;
  }

  /** What no runtime wrote has no record, and counts where the range is bounded. */
  async *#messages(
    filter: string,
    { from = 1, until = Number.POSITIVE_INFINITY, ...reading }: RecordsRange,
  ): AsyncGenerator<HistoryMessage> {
    const { nc, jsm, names } = this.#server;
    const stream = names.historyStream;
    for await (const message of readStream(nc, jsm, { stream, filter, from, ...reading })) {
      const { sequence: position, storedAt, data } = message;
      if (position > until) return;
      const record = names.isHistory(message.subject) ? readHistoryRecord(data) : undefined;
      const placed = record && { record, storedAt, position };
      yield { position, bytes: data.length, record: placed };
    }
  }

  #bounds(): Promise<{ first: number; last: number } | undefined> {
    const { jsm, names } = this.#server;
    return request("read the history", async () => {
      try {
        const { state } = await jsm.streams.info(names.historyStream);
        return { first: state.first_seq, last: state.last_seq };
      } catch (error) {
        if (apiCode(error) === STREAM_NOT_FOUND) return undefined;
        throw error;
      }
    });
  }
}

interface OfJobs {
  readonly queue?: string;
  readonly id?: string;
  readonly kind?: StretchQuery["kind"];
}

interface RecordsRange extends Pick<StreamRange, "from" | "limit" | "bytes" | "leaderReads"> {
  readonly until?: number;
}

interface HistoryMessage {
  readonly position: number;
  readonly bytes: number;
  readonly record: PlacedRecord | undefined;
}

/** Thousands of records may be in memory at once, and nobody who asks for so many needs these. */
function withoutResult({ output: _left, ...record }: HistoryRecord): HistoryRecord {
  return record;
}
