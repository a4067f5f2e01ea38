import {
  type Batch,
  type BatchEnd,
  type BatchStore,
  decodeBody,
  encodeMsgpack,
  type EndedMember,
  type Lease,
  type MillraceError,
} from "@millrace/core";
import { apiCode, request, STREAM_NOT_FOUND } from "../jetstream-errors.ts";
import type { ConfirmedPublisher } from "../publish/confirmed-publisher.ts";
import { revokedWith } from "../settlement/lease-over.ts";
import { ensureStream } from "../topology/ensure-stream.ts";
import { batchStream } from "../topology/streams.ts";
import { nextMessage } from "./next-message.ts";
import { readSubjects } from "./read-subjects.ts";
import type { ServerAccess } from "./server-access.ts";

const MSGPACK = "application/msgpack";
const NOTHING = new Uint8Array();

/**
 * Batches in one stream: a message for each batch, one for each of its jobs that has not ended, one for each that has. A subject holds one
 * message, so whatever is written again is the same again; a job has ended when its message is gone. Asked of the stream's leader.
 */
export class NatsBatches implements BatchStore {
  readonly #server: ServerAccess;
  readonly #publisher: ConfirmedPublisher;
  readonly #replicas: number;
  #stream: Promise<unknown> | undefined;

  constructor(server: ServerAccess, publisher: ConfirmedPublisher, replicas: number) {
    this.#server = server;
    this.#publisher = publisher;
    this.#replicas = replicas;
  }

  async open(batch: Batch): Promise<void> {
    await this.#ensure();
    const data = encodeMsgpack(batch);
    await this.#publisher.publish(this.#server.names.batch(batch.id), data, undefined);
  }

  async join(batch: string, ids: readonly string[]): Promise<void> {
    const { names } = this.#server;
    const ended = new Set((await this.ended(batch)).map(({ id }) => id));
    const messages = ids
      .filter((id) => !ended.has(id))
      .map((id) => ({ subject: names.batchMember(batch, id), data: NOTHING, headers: undefined }));
    const failures = await this.#publisher.publishMany<MillraceError | undefined>(messages, {
      stored: () => undefined,
      failed: (error) => error,
    });
    const failure = failures.find((error) => error !== undefined);
    if (failure !== undefined) throw failure;
  }

  async leave(
    batch: string,
    id: string,
    end: BatchEnd,
    { lease }: { readonly lease?: Lease } = {},
  ): Promise<boolean> {
    const { names } = this.#server;
    const revoked = revokedWith(lease, `the job ${id} leaves its batch`);
    // Ended first: whoever sees no member left must see how each has ended.
    await this.#publisher.publish(
      names.batchEnded(batch, id),
      encodeMsgpack(end),
      undefined,
      revoked,
    );
    await this.#purge(names.batchMember(batch, id));
    return (await this.#first(names.batchMember(batch, "*"))) !== undefined;
  }

  async find(batch: string): Promise<Batch | undefined> {
    const data = await this.#first(this.#server.names.batch(batch));
    return data === undefined ? undefined : (decodeBody(data, MSGPACK) as Batch);
  }

  async ended(batch: string): Promise<readonly EndedMember[]> {
    const { nc, jsm, names } = this.#server;
    const range = { stream: names.batchStream, filter: names.batchEnded(batch, "*") };
    const members = (await readSubjects(nc, jsm, range)).values();
    return [...members].map(({ subject, data }) => ({
      id: subject.slice(subject.lastIndexOf(".") + 1),
      end: decodeBody(data, MSGPACK) as BatchEnd,
    }));
  }

  left(batch: string): Promise<number> {
    const { jsm, names } = this.#server;
    return request(`count the jobs of the batch ${batch}`, async () => {
      try {
        const { state } = await jsm.streams.info(names.batchStream, {
          subjects_filter: names.batchMember(batch, "*"),
        });
        return Object.keys(state.subjects ?? {}).length;
      } catch (error) {
        if (apiCode(error) === STREAM_NOT_FOUND) return 0;
        throw error;
      }
    });
  }

  /** The batch's own message first: without it nobody calls back a second time. */
  async remove(batch: string): Promise<void> {
    const { names } = this.#server;
    await this.#purge(names.batch(batch));
    await this.#purge(names.batchMember(batch, "*"));
    await this.#purge(names.batchEnded(batch, "*"));
  }

  #first(subject: string): Promise<Uint8Array | undefined> {
    const { jsm, names } = this.#server;
    return request(
      "look at a batch",
      async () => (await nextMessage(jsm, names.batchStream, 1, subject))?.data,
    );
  }

  #purge(filter: string): Promise<void> {
    const { jsm, names } = this.#server;
    return request("take a job out of its batch", async () => {
      try {
        await jsm.streams.purge(names.batchStream, { filter });
      } catch (error) {
        if (apiCode(error) !== STREAM_NOT_FOUND) throw error;
      }
    });
  }

  /** Made with the first batch; a failure is not kept. */
  #ensure(): Promise<unknown> {
    this.#stream ??= ensureStream(
      this.#server.jsm,
      batchStream(this.#server.names, this.#replicas),
    ).catch((error: unknown) => {
      this.#stream = undefined;
      throw error;
    });
    return this.#stream;
  }
}
