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
    const [before, open] = [await this.#ends(batch), await this.#open(batch)];
    const joining: string[] = [];
    for (const member of members)
      if (
        mayJoin(before.get(tokenOf(member))) &&
        !(await this.#isOpenAsBefore(batch, member, open))
      )
        joining.push(tokenOf(member));
    if (joining.length > 0) await this.#write(batch, joining);
    // A job that has left meanwhile would stay for ever: the node that removed it does not come
    // again. So would one that a call wrote which died before it came to this.
    const since = await this.#ends(batch);
    if (since.size === 0) return;
    for (const token of await this.#open(batch))
      if (!mayJoin(since.get(token))) await this.#purge(names.batchMember(batch, token));
  }

  async #write(batch: string, tokens: readonly string[]): Promise<void> {
    const { names } = this.#server;
    const messages = tokens.map((token) => ({
      subject: names.batchMember(batch, token),
      data: NOTHING,
      headers: {},
    }));
    const failures = await this.#publisher.publishMany<MillraceError | undefined>(messages, {
      stored: () => undefined,
      failed: (error) => error,
    });
    const failure = failures.find((error) => error !== undefined);
    if (failure !== undefined) throw failure;
  }

  /** An earlier version has written it, under its id alone. */
  async #isOpenAsBefore(
    batch: string,
    { id, queue }: JobRef,
    open: ReadonlySet<string>,
  ): Promise<boolean> {
    return (
      open.has(id) && isOf(await this.#first(this.#server.names.batchMember(batch, id)), queue)
    );
  }

  /** The tokens of those that have not left. */
  async #open(batch: string): Promise<ReadonlySet<string>> {
    const { jsm, names } = this.#server;
    const start = names.batchMember(batch, "").length;
    const subjects = await request(`list the jobs of the batch ${batch}`, () =>
      orWithoutStream<readonly string[]>([], async () => {
        const { state } = await jsm.streams.info(names.batchStream, {
          subjects_filter: names.batchMember(batch, ">"),
        });
        return Object.keys(state.subjects ?? {});
      }),
    );
    return new Set(subjects.map((subject) => subject.slice(start)));
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
        {},
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
  async #placeOf(batch: string, member: JobRef): Promise<Place | undefined> {
    const { names } = this.#server;
    for (const token of [tokenOf(member), member.id]) {
      if (isOf(await this.#first(names.batchMember(batch, token)), member.queue))
        return { state: "open", token };
      if (isOf(await this.#first(names.batchEnded(batch, token)), member.queue))
        return { state: "ended", token };
    }
    return undefined;
  }

  /** One that it has not left comes first: others call back without it. */
  batchOf(member: JobRef): Promise<string | undefined> {
    const { names } = this.#server;
    const token = tokenOf(member);
    return againBehindBarrier(this.#server, names.batchStream, async () => {
      const stored =
        (await this.#first(names.batchMember("*", token))) ??
        (await this.#first(names.batchEnded("*", token)));
      return stored && names.readBatch(stored.subject);
    });
  }

  /** Where none is, nobody looks again: its callback would never be enqueued. */
  async find(batch: string): Promise<StoredBatch | undefined> {
    const { names } = this.#server;
    const stored = await againBehindBarrier(this.#server, names.batchStream, () =>
      this.#first(names.batch(batch)),
    );
    if (stored === undefined) return undefined;
    // Its callback's input was judged when it was written, by a limit that may be another's.
    const document = decodeBody(stored.data, MSGPACK, Number.POSITIVE_INFINITY) as Batch;
    return { ...document, revision: stored.seq };
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

  async #ends(batch: string): Promise<ReadonlyMap<string, BatchEnd>> {
    return new Map((await this.#ended(batch)).map(({ token, end }) => [token, end]));
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
    return behindBarrier(
      this.#server,
      this.#server.names.batchStream,
      async () => (await this.#open(batch)).size,
    );
  }

  /** The batch's own message first: without it nobody calls back a second time. */
  async remove(batch: string, revision?: number): Promise<void> {
    const { names } = this.#server;
    if (revision !== undefined) {
      await this.#purge(names.batch(batch), revision + 1);
      await this.removeRest(batch);
      return;
    }
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

/** What an earlier version has written says of which queue it is, if at all, in a header. */
function isOf(stored: LeaderMessage | undefined, queue: string): boolean {
  if (stored === undefined) return false;
  const of = headersOf(stored)["millrace-queue"];
  return of === undefined || of === queue;
}

/** Always with its queue: one of another may have the id, and join later. */
function tokenOf({ queue, id }: JobRef): string {
  return `${queue}.${id}`;
}

function mayJoin(ended: BatchEnd | undefined): boolean {
  return ended === undefined || ended === "refused";
}
