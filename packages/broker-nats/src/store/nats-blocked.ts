import {
  type BlockedGate,
  type BlockedJob,
  type BlockedQuery,
  type BlockedStore,
  defined,
  type Envelope,
  type FindOptions,
  isLookedFor,
  isMeant,
  type MeantRelease,
  MillraceError,
  type NewestOptions,
  readEnvelope,
  type ReleaseOptions,
  requireId,
  requireQueueName,
} from "@millrace/core";
import type { EarlierCopies } from "../lookup/earlier-copies.ts";
import { newestPosition } from "../reads/newest-position.ts";
import { endsOf } from "../reads/scan.ts";
import { orWithoutStream, request } from "../jetstream-errors.ts";
import type { EditableMessage } from "../publish/batch.ts";
import { publishFirstFitting } from "../publish/first-fitting.ts";
import { Believed } from "../machine/believed.ts";
import type { OwnWords } from "../publish/own-words.ts";
import { countMessages } from "../reads/count-messages.ts";
import { headersOf, nextMessage, WHOLE_STREAM } from "../reads/next-message.ts";
import { GateNames } from "./gate-names.ts";
import { removeMessage } from "./remove-message.ts";
import { readStream, type StreamMessage, type StreamRange } from "../reads/read-stream.ts";
import type { ServerAccess } from "./server-access.ts";
import { decodeGate } from "../messages/gate-header.ts";
import { gateToken } from "../messages/gate-token.ts";
import {
  bareWokenMessage,
  cancelledWokenMessage,
  laneOf,
  wokenMessage,
} from "../messages/blocked-message.ts";

const DEFAULT_LIMIT = 100;
/** Moved side by side. */
const BATCH = 256;
/** Refusals that no repetition mends, and that say nothing of the jobs behind it. */
const OF_ONE_JOB = ["payload-too-large", "invalid-header", "invalid-message"] as const;

export interface BlockedParts {
  readonly server: ServerAccess;
  readonly ownWords: OwnWords;
  readonly earlier: EarlierCopies;
  readonly onProblem: (error: unknown, doing: string) => void;
}

interface Move {
  readonly permit?: string | undefined;
  readonly wasMoved: boolean;
  /** Why the job is cancelled. */
  readonly reason?: string | undefined;
}

/** Blocked jobs in one stream, a subject for each gate. */
export class NatsBlocked implements BlockedStore {
  readonly #server: ServerAccess;
  readonly #ownWords: OwnWords;
  readonly #names = new GateNames((subject) => this.#nameOf(subject));
  readonly #earlier: EarlierCopies;

  readonly #onProblem: BlockedParts["onProblem"];
  /** Positions of what its queue refuses: tried again, and told, once a minute. */
  readonly #passedOver: Believed;

  constructor({ server, ownWords, earlier, onProblem }: BlockedParts) {
    this.#server = server;
    this.#earlier = earlier;
    this.#ownWords = ownWords;
    this.#onProblem = onProblem;
    this.#passedOver = new Believed(server.nc);
  }

  async release(
    queue: string,
    gate: string,
    count: number,
    { permits = [] }: ReleaseOptions = {},
  ): Promise<number> {
    const filter = this.#filter(queue, gate);
    let moved = 0;
    for (let from = 1; moved < count;) {
      const oldest = await this.#read(filter, { limit: Math.min(count - moved, BATCH), from });
      const last = oldest.at(-1);
      if (last === undefined) break;
      const base = moved;
      // All are looked up before the first is published, so that no slow answer lets a later one
      // overtake.
      const gone = await Promise.all(oldest.map((blocked) => this.#wasMovedLongAgo(blocked)));
      const mine = await Promise.all(
        oldest.map((blocked, index) =>
          this.#moveOrPassOver(queue, blocked, permits[base + index], gone[index] === true),
        ),
      );
      moved += mine.filter(Boolean).length;
      from = last.sequence + 1;
    }
    return moved;
  }

  async releaseJob(
    queue: string,
    id: string,
    { sequence, reason, ...meant }: MeantRelease = {},
  ): Promise<boolean> {
    const isIt = (message: StreamMessage): boolean => {
      const job = this.#jobOf(message);
      return job === undefined || isMeant(meant, job.envelope);
    };
    const blocked = await this.#find(requireQueueName(queue), requireId(id), isIt, sequence);
    if (blocked === undefined) return false;
    const how = { wasMoved: await this.#wasMovedLongAgo(blocked), reason };
    return this.#move(queue, blocked, how);
  }

  async gates(queue?: string): Promise<readonly BlockedGate[]> {
    const counts = await this.#counts(this.#filter(queue));
    const { names } = this.#server;
    const isOf = (subject: string): boolean =>
      queue === undefined || names.readBlockedSubject(subject)?.queue === queue;
    const named = await this.#names.of(Object.keys(counts), isOf);
    const gates: BlockedGate[] = [];
    for (const [subject, count] of Object.entries(counts)) {
      const of = names.readBlockedSubject(subject)?.queue;
      const gate = named.get(subject);
      if (of !== undefined && gate !== undefined) gates.push({ queue: of, gate, count });
    }
    return gates;
  }

  async list(query: BlockedQuery = {}): Promise<readonly BlockedJob[]> {
    const { queue, gate, limit = DEFAULT_LIMIT, after = 0, until, bytes } = query;
    const isOfAll = queue === undefined && gate === undefined;
    const filter = isOfAll ? WHOLE_STREAM : this.#filter(queue, gate);
    for (let from = after + 1; ;) {
      const part = { limit, from, ...defined({ until, bytes }) };
      const messages = await this.#read(filter, part);
      const jobs = messages.flatMap((message) => this.#jobOf(message) ?? []);
      const last = messages.at(-1);
      // An empty page is the end: what can't be read must not look like it.
      if (jobs.length > 0 || last === undefined) return jobs;
      from = last.sequence + 1;
    }
  }

  count(queue?: string): Promise<number> {
    return request("count the blocked jobs", async () => {
      const ends = await endsOf(this.#server, this.#server.names.blockedStream);
      if (ends === undefined) return 0;
      if (queue === undefined) return ends.messages;
      return countMessages(this.#server, ends, this.#filter(queue));
    });
  }

  newest(options?: NewestOptions): Promise<number> {
    const { blockedStream: stream } = this.#server.names;
    const doing = "look for the newest blocked job";
    return newestPosition(this.#server, { stream, doing }, options);
  }

  async purge(queue: string, gate?: string): Promise<number> {
    const { jsm, names } = this.#server;
    const filter = this.#filter(queue, gate);
    return request(`purge what is blocked of the queue ${queue}`, () =>
      orWithoutStream(
        0,
        async () => (await jsm.streams.purge(names.blockedStream, { filter })).purged,
      ),
    );
  }

  /**
   * Looks through what is blocked.
   *
   * @returns one with this id that is looked for
   */
  async find(id: string, options: FindOptions): Promise<BlockedJob | undefined> {
    const blocked = await this.#find(options.queue, id, (message) => {
      const job = this.#jobOf(message);
      return job === undefined || isLookedFor({ ...job, state: "blocked" }, options);
    });
    return blocked && this.#jobOf(blocked);
  }

  /** One that its queue will never take holds up nobody behind it. */
  async #moveOrPassOver(
    queue: string,
    blocked: StreamMessage,
    permit: string | undefined,
    wasMoved: boolean,
  ): Promise<boolean> {
    const passedOver = String(blocked.sequence);
    if (this.#passedOver.has(passedOver)) return false;
    try {
      return await this.#move(queue, blocked, { permit, wasMoved });
    } catch (error) {
      if (!OF_ONE_JOB.some((code) => MillraceError.is(error, code))) throw error;
      this.#passedOver.add(passedOver);
      const id = this.#jobOf(blocked)?.envelope.id ?? `at ${blocked.sequence}`;
      this.#onProblem(
        error,
        `let the blocked job ${id} into the queue ${queue}; it is passed over`,
      );
      return false;
    }
  }

  /** @returns whether this call put it into the queue: of two at the same time, one did */
  async #move(
    queue: string,
    blocked: StreamMessage,
    { permit, wasMoved, reason }: Move,
  ): Promise<boolean> {
    const { jsm, names } = this.#server;
    let mine = false;
    if (!wasMoved) {
      const woken = wokenMessage(blocked, queue, names, permit);
      // One that an earlier version blocked may not fit with all that is known of its waiting.
      const publish = (message: EditableMessage) => this.#ownWords.publishFirst(message, queue);
      let [publication, ack] = await publishFirstFitting(publish, woken, [
        () => bareWokenMessage(woken),
        () => this.#toCancel(blocked, woken, reason),
      ]);
      const job = this.#ownWords.mayBeAnothers(ack) ? this.#jobOf(blocked)?.envelope : undefined;
      if (job !== undefined) ack = await this.#ownWords.insist({ publication, job }, ack);
      const { duplicate, attempts } = ack;
      // If it was sent again, the stored copy may be the first one, and the permit is in that.
      mine = !duplicate || attempts > 1;
    }
    await request(`let a blocked job into the queue ${queue}`, () =>
      removeMessage(jsm, names.blockedStream, blocked.sequence),
    );
    return mine;
  }

  #toCancel(
    blocked: StreamMessage,
    woken: EditableMessage,
    reason: string | undefined,
  ): EditableMessage | undefined {
    if (reason === undefined) return undefined;
    const job = this.#jobOf(blocked);
    return job && cancelledWokenMessage(woken, job.envelope, reason);
  }

  /**
   * A node that crashed between the publication and the removal leaves the job here. Soon
   * afterwards its id shows it, which the queue remembers; later, the copy in the queue or a record
   * does.
   */
  async #wasMovedLongAgo(blocked: StreamMessage): Promise<boolean> {
    const queue = this.#server.names.readBlockedSubject(blocked.subject)?.queue;
    const { storedAt } = blocked;
    if (queue === undefined) return false;
    // What is believed of its window is asked again from time to time: it may have become shorter.
    this.#earlier.prepare(queue);
    if (this.#earlier.isFresh(queue, storedAt)) return false;
    const read = (): Envelope | undefined => this.#jobOf(blocked)?.envelope;
    return this.#earlier.has({ queue, publishedAt: storedAt, storedAt, read });
  }

  #filter(queue: string | undefined, gate?: string): string {
    const { names } = this.#server;
    const of = queue === undefined ? "*" : requireQueueName(queue);
    return names.blocked(of, gate === undefined ? "*" : gateToken(gate));
  }

  async #read(
    filter: string,
    part: Pick<StreamRange, "from" | "until" | "limit" | "bytes">,
  ): Promise<readonly StreamMessage[]> {
    const { nc, jsm, names } = this.#server;
    const messages: StreamMessage[] = [];
    const range = { stream: names.blockedStream, filter, ...part };
    for await (const message of readStream(nc, jsm, range)) messages.push(message);
    return messages;
  }

  async #find(
    queue: string | undefined,
    id: string,
    isIt: (message: StreamMessage) => boolean,
    at?: number,
  ): Promise<StreamMessage | undefined> {
    const { nc, jsm, names } = this.#server;
    const place = at === undefined ? {} : { from: at, until: at, limit: 1 };
    const filter = queue === undefined ? WHOLE_STREAM : this.#filter(queue);
    const range = { stream: names.blockedStream, filter, ...place };
    for await (const message of readStream(nc, jsm, range)) {
      const messageId = message.headers["nats-msg-id"];
      const of = names.readBlockedSubject(message.subject)?.queue;
      if (messageId?.startsWith(`${of}/millrace/${id}/`) === true && isIt(message)) return message;
    }
    return undefined;
  }

  async #counts(filter: string): Promise<Readonly<Record<string, number>>> {
    const { jsm, names } = this.#server;
    return request("count the blocked jobs", () =>
      orWithoutStream<Readonly<Record<string, number>>>({}, async () => {
        const { state } = await jsm.streams.info(names.blockedStream, { subjects_filter: filter });
        return state.subjects ?? {};
      }),
    );
  }

  /** @returns undefined where the last one was let in meanwhile */
  async #nameOf(subject: string): Promise<string | undefined> {
    const { jsm, names } = this.#server;
    const stored = await request("read a blocked job", () =>
      nextMessage(jsm, names.blockedStream, 1, subject),
    );
    return stored && decodeGate(headersOf(stored)["millrace-gate"] ?? "");
  }

  #jobOf({ subject, sequence, storedAt, data, headers }: StreamMessage): BlockedJob | undefined {
    const queue = this.#server.names.readBlockedSubject(subject)?.queue;
    if (queue === undefined) return undefined;
    const lane = laneOf(headers);
    const read = readEnvelope(
      {
        queue,
        ...(lane === undefined ? {} : { lane }),
        origin: "runtime",
        body: data,
        headers,
        sequence,
        storedAt,
      },
      this.#server.maxValues,
    );
    return read.ok
      ? {
          envelope: read.envelope,
          gate: decodeGate(headers["millrace-gate"] ?? ""),
          sequence,
          storedAt,
        }
      : undefined;
  }
}
