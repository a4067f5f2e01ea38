import {
  type Batch,
  type BatchEnd,
  type BatchStore,
  decodeBody,
  encodeMsgpack,
  type EndedMember,
  type JobRef,
  type Lease,
  MillraceError,
  type StoredBatch,
} from "@millrace/core";
import { orWithoutStream, request } from "../jetstream-errors.ts";
import type { ConfirmedPublisher } from "../publish/confirmed-publisher.ts";
import { revokedWith } from "../settlement/lease-over.ts";
import { StreamOnce } from "../topology/stream-once.ts";
import { batchStream } from "../topology/streams.ts";
import { headersOf, type LeaderMessage, nextMessage } from "../reads/next-message.ts";
import { againBehindBarrier, behindBarrier } from "../reads/behind-barrier.ts";
import { readSubjects } from "../reads/read-subjects.ts";
import type { ServerAccess } from "./server-access.ts";
import { EXPECTED_SEQUENCE } from "../wire/expected-sequence.ts";

const MSGPACK = "application/msgpack";
const NOTHING = new Uint8Array();
/**
 * Which queue's job it is. Absent in what an earlier version wrote, which counts an id of any
 * queue.
 */
const QUEUE_HEADER = "Millrace-Queue";

/** A job's place in a batch: a token of its subject. */
interface Place {
  readonly state: "open" | "ended";
  readonly token: string;
}

/**
 * Batches in one stream: a message for each batch, one for each of its jobs that has not ended, one
 * for each that has. A subject holds one message, so whatever is written again is the same again; a
 * job has ended when its message is gone. Asked of the stream's leader.
 */
export class NatsBatches implements BatchStore {
  readonly #server: ServerAccess;
  readonly #publisher: ConfirmedPublisher;
  readonly #stream: StreamOnce;

  constructor(server: ServerAccess, publisher: ConfirmedPublisher, replicas: number) {
    this.#server = server;
    this.#publisher = publisher;
    this.#stream = new StreamOnce(server, batchStream(server.names, replicas));
  }

  async open(batch: Batch): Promise<void> {
    await this.#stream.ensure();
    await this.replace(batch, 0);
  }

  /** A copy of the write, sent because its answer was late, is refused as anybody else's is. */
  async replace(batch: Batch, revision: number): Promise<boolean> {
    const data = encodeMsgpack(batch);
    const headers = { [EXPECTED_SEQUENCE]: String(revision) };
    try {
      await this.#publisher.publish(this.#server.names.batch(batch.id), data, headers);
      return true;
    } catch (error) {
      if (MillraceError.is(error, "conflict")) return false;
      throw error;
    }
  }

  async join(batch: string, members: readonly JobRef[]): Promise<void> {
    const { names } = this.#server;
    const ended = new Map((await this.#ended(batch)).map((one) => [one.token, one.end]));
    const joining = tokensOf(members).filter(({ token }) => mayJoin(ended.get(token)));
    const messages = joining.map(({ token, queue }) => ({
      subject: names.batchMember(batch, token),
      data: NOTHING,
      headers: { [QUEUE_HEADER]: queue },
    }));
    const failures = await this.#publisher.publishMany<MillraceError | undefined>(messages, {
      stored: () => undefined,
      failed: (error) => error,
    });
    const failure = failures.find((error) => error !== undefined);
    if (failure !== undefined) throw failure;
  }

  async leave(
    batch: string,
    member: JobRef,
    end: BatchEnd,
    { lease }: { readonly lease?: Lease } = {},
  ): Promise<boolean | undefined> {
    const { names } = this.#server;
    const place = await againBehindBarrier(this.#server, names.batchStream, () =>
      this.#placeOf(batch, member),
    );
    if (place === undefined) return undefined;
    if (place.state === "open") {
      const revoked = revokedWith(lease, `the job ${member.id} leaves its batch`);
      // Ended first: whoever sees no member left must see how each has ended.
      await this.#publisher.publish(
        names.batchEnded(batch, place.token),
        encodeMsgpack(end),
        { [QUEUE_HEADER]: member.queue },
        revoked,
      );
      await this.#purge(names.batchMember(batch, place.token));
    }
    const other = (): Promise<unknown> => this.#first(names.batchMember(batch, ">"));
    // Where it has left just now, its own purge was the barrier.
    const first =
      place.state === "open" ? other() : behindBarrier(this.#server, names.batchStream, other);
    return (await first) !== undefined;
  }

  /** Where a job stands in a batch: it may have left before. Undefined where it never joined. */
  async #placeOf(batch: string, { queue, id }: JobRef): Promise<Place | undefined> {
    const { names } = this.#server;
    for (const token of [id, `${queue}.${id}`]) {
      if (isOf(await this.#first(names.batchMember(batch, token)), queue))
        return { state: "open", token };
      if (isOf(await this.#first(names.batchEnded(batch, token)), queue))
        return { state: "ended", token };
    }
    return undefined;
  }

  async find(batch: string): Promise<StoredBatch | undefined> {
    const stored = await this.#first(this.#server.names.batch(batch));
    if (stored === undefined) return undefined;
    return { ...(decodeBody(stored.data, MSGPACK) as Batch), revision: stored.seq };
  }

  async ended(
    batch: string,
    { most = Infinity }: { readonly most?: number } = {},
  ): Promise<readonly EndedMember[]> {
    return (await this.#ended(batch, most)).map(({ token, end }) => ({
      id: token.slice(token.lastIndexOf(".") + 1),
      end,
    }));
  }

  async #ended(
    batch: string,
    most = Infinity,
  ): Promise<readonly { readonly token: string; readonly end: BatchEnd }[]> {
    const { nc, jsm, names } = this.#server;
    const range = { stream: names.batchStream, filter: names.batchEnded(batch, ">"), most };
    const start = names.batchEnded(batch, "").length;
    const members = (await readSubjects(nc, jsm, range)).values();
    return [...members].map(({ subject, data }) => ({
      token: subject.slice(start),
      end: decodeBody(data, MSGPACK) as BatchEnd,
    }));
  }

  left(batch: string): Promise<number> {
    const { jsm, names } = this.#server;
    return request(`count the jobs of the batch ${batch}`, () =>
      behindBarrier(this.#server, names.batchStream, () =>
        orWithoutStream(0, async () => {
          const { state } = await jsm.streams.info(names.batchStream, {
            subjects_filter: names.batchMember(batch, ">"),
          });
          return Object.keys(state.subjects ?? {}).length;
        }),
      ),
    );
  }

  /** The batch's own message first: without it nobody calls back a second time. */
  async remove(batch: string): Promise<void> {
    const { names } = this.#server;
    await this.#purge(names.batch(batch));
    await this.#purge(names.batchMember(batch, ">"));
    await this.#purge(names.batchEnded(batch, ">"));
  }

  /** Only what was there before the look: a batch that is made after it is another. */
  async removeRest(batch: string): Promise<void> {
    const { names } = this.#server;
    const next = await this.#nextSequence();
    if (next === undefined || (await this.find(batch)) !== undefined) return;
    await this.#purge(names.batchMember(batch, ">"), next);
    await this.#purge(names.batchEnded(batch, ">"), next);
  }

  /** @returns undefined where there has been no batch yet */
  #nextSequence(): Promise<number | undefined> {
    const { jsm, names } = this.#server;
    return request("look where the batches end", () =>
      orWithoutStream<number | undefined>(
        undefined,
        async () => (await jsm.streams.info(names.batchStream)).state.last_seq + 1,
      ),
    );
  }

  #first(subject: string): Promise<LeaderMessage | undefined> {
    const { jsm, names } = this.#server;
    return request("look at a batch", () => nextMessage(jsm, names.batchStream, 1, subject));
  }

  /** @param before default: all of them */
  #purge(filter: string, before?: number): Promise<void> {
    const { jsm, names } = this.#server;
    const upTo = before === undefined ? {} : { seq: before };
    return request("take a job out of its batch", () =>
      orWithoutStream(undefined, async () => {
        await jsm.streams.purge(names.batchStream, { filter, ...upTo });
      }),
    );
  }
}

/**
 * A job's id, as earlier versions have it; with its queue before it where another member of the
 * batch has the same.
 */
function tokensOf(
  members: readonly JobRef[],
): readonly { readonly token: string; readonly queue: string }[] {
  const queues = new Map<string, string>();
  const shared = new Set<string>();
  for (const { id, queue } of members) {
    if ((queues.get(id) ?? queue) !== queue) shared.add(id);
    queues.set(id, queue);
  }
  return members.map(({ id, queue }) => ({
    token: shared.has(id) ? `${queue}.${id}` : id,
    queue,
  }));
}

function mayJoin(ended: BatchEnd | undefined): boolean {
  return ended === undefined || ended === "refused";
}

function isOf(stored: LeaderMessage | undefined, queue: string): boolean {
  if (stored === undefined) return false;
  const of = headersOf(stored)[QUEUE_HEADER.toLowerCase()];
  return of === undefined || of === queue;
}
