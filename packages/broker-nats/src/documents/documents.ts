import {
  type Document,
  type DocumentPage,
  type DocumentPageQuery,
  type DocumentStore,
  MillraceError,
  type UnreadableDocument,
} from "@millrace/core";
import { subscribe } from "../connection/subscribe.ts";
import { asMillraceError, isWithoutStream, isWrongSequence, request } from "../jetstream-errors.ts";
import type { BucketEntry } from "./bucket-reader.ts";
import { readPage } from "./document-page.ts";
import { fromKvKey, toKvKey } from "./kv-key.ts";
import { ASK_LEADER } from "../reads/direct-reads.ts";
import { type Wires, writeOnce } from "./document-writes.ts";
import type { LastMessage } from "../reads/leader-reads.ts";
import { removeMessage } from "../store/remove-message.ts";
import { readJson, writeJson } from "./read-json.ts";
import { WHOLE_STREAM } from "../reads/next-message.ts";
import { readStream, type StreamMessage } from "../reads/read-stream.ts";
import { readSubjects } from "../reads/read-subjects.ts";
import type { ServerAccess } from "../store/server-access.ts";
import { readHeaders } from "../wire/read-headers.ts";
import { serverNow } from "../reads/server-now.ts";
import { SingleReplica } from "./single-replica.ts";
import { watchBucket } from "./watch-bucket.ts";

const REMOVAL_HEADERS = { "KV-Operation": "DEL" };

type Report = (error: unknown, doing: string) => void;
/** Makes a bucket anew that was removed under way; for a reader only where that loses nothing. */
type Remake = (by: "reader" | "writer") => Promise<boolean>;

/** Documents in a KV bucket, as JSON that any NATS client can read. */
export class NatsDocuments implements DocumentStore {
  readonly #server: ServerAccess;
  readonly #wires: Wires;
  readonly #bucket: string;
  readonly #onProblem: Report;
  readonly #remake: Remake | undefined;
  /** Of a bucket that is peeked into. */
  #replica: SingleReplica | undefined;

  /**
   * @param bucket as it is named on the server; whether it is there is its maker's to know
   * @param remake left out: where it is not there, nobody makes it
   */
  constructor(
    server: ServerAccess,
    wires: Wires,
    bucket: string,
    onProblem: Report,
    remake?: Remake,
  ) {
    this.#remake = remake;
    this.#wires = wires;
    this.#server = server;
    this.#bucket = bucket;
    this.#onProblem = onProblem;
  }

  async get(key: string): Promise<Document | undefined> {
    return this.#documentOf(key, await this.#last(toKvKey(key)));
  }

  async find(key: string): Promise<Document | UnreadableDocument | undefined> {
    const last = await this.#last(toKvKey(key));
    if (last === undefined || last.isRemoval) return undefined;
    return this.#read(key, last.sequence, last.data, last.storedAt);
  }

  async peek(key: string): Promise<Document | undefined> {
    const replica = (this.#replica ??= new SingleReplica(this.#server, this.#stream));
    if (!replica.isSole()) return this.get(key);
    const last = await this.#wires.directReads.last(this.#stream, this.#subject(toKvKey(key)));
    if (last !== ASK_LEADER) return this.#documentOf(key, last);
    replica.disbelieve();
    return this.get(key);
  }

  #last(kvKey: string): Promise<LastMessage | undefined> {
    return this.#orAnew("reader", () => this.#wires.reads.last(this.#stream, this.#subject(kvKey)));
  }

  /** A list of a bucket that was removed fails: nobody is to take it for an empty one. */
  async #orAnew<T>(by: "reader" | "writer", run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      const isGone = isWithoutStream(error) || MillraceError.is(error, "queue-not-found");
      if (!isGone || (await this.#remake?.(by)) !== true) throw error;
      return run();
    }
  }

  get #stream(): string {
    return `KV_${this.#bucket}`;
  }

  #subject(kvKey: string): string {
    return `$KV.${this.#bucket}.${kvKey}`;
  }

  #documentOf(key: string, last: LastMessage | undefined): Document | undefined {
    return last === undefined || last.isRemoval
      ? undefined
      : this.#decode(key, last.sequence, last.data, last.storedAt);
  }

  async list(): Promise<readonly Document[]> {
    const { nc, jsm } = this.#server;
    const newest = await readSubjects(nc, jsm, { stream: this.#stream });
    const documents = [...newest.values()].flatMap((message) => this.#documentIn(message) ?? []);
    return documents.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  async page({ under, ...query }: DocumentPageQuery): Promise<DocumentPage> {
    const filter = under === undefined ? WHOLE_STREAM : this.#subject(`${toKvKey(under)}.>`);
    const { messages, next } = await readPage(this.#server, {
      ...query,
      stream: this.#stream,
      filter,
    });
    const documents = messages.flatMap((message) => this.#documentIn(message) ?? []);
    return { documents, ...(next === undefined ? {} : { next }) };
  }

  /** @returns undefined for the mark of a removal, too */
  #documentIn({ subject, sequence, data, headers, storedAt }: StreamMessage) {
    if (headers["kv-operation"] !== undefined) return undefined;
    const key = fromKvKey(subject.slice(`$KV.${this.#bucket}.`.length));
    return this.#decode(key, sequence, data, storedAt);
  }

  async put(key: string, value: unknown, expected?: number): Promise<number> {
    const kvKey = toKvKey(key);
    const bytes = encodeValue(value, key);
    try {
      return await this.#write(kvKey, bytes, expected);
    } catch (error) {
      const removed = await this.#removalInTheWay(error, kvKey, expected);
      if (removed === undefined) throw this.#writeError(error, key, expected);
      try {
        return await this.#write(kvKey, bytes, removed);
      } catch (again) {
        throw this.#writeError(again, key, expected);
      }
    }
  }

  #write(
    kvKey: string,
    data: Uint8Array,
    expected: number | undefined,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<number> {
    const bucket = this.#bucket;
    const [stream, subject] = [`KV_${bucket}`, `$KV.${bucket}.${kvKey}`];
    const write = { stream, subject, data, headers, expected };
    return this.#orAnew("writer", () => writeOnce(this.#wires, write));
  }

  /**
   * A document that was removed has left a mark, which counts as nothing.
   * @returns the mark's revision
   */
  async #removalInTheWay(
    error: unknown,
    kvKey: string,
    expected: number | undefined,
  ): Promise<number | undefined> {
    if (expected !== 0 || !MillraceError.is(error, "conflict")) return undefined;
    const last = await this.#last(kvKey);
    return last?.isRemoval === true ? last.sequence : undefined;
  }

  async remove(key: string, expected?: number): Promise<void> {
    try {
      await this.#write(toKvKey(key), new Uint8Array(0), expected, REMOVAL_HEADERS);
    } catch (error) {
      throw this.#writeError(error, key, expected);
    }
  }

  /**
   * Only what the server keeps of a removal is removed: a key that was written since has a later
   * message, which stays.
   */
  async forgetRemoved({ olderThanMs }: { readonly olderThanMs: number }): Promise<void> {
    const { nc, jsm } = this.#server;
    const stream = `KV_${this.#bucket}`;
    let now: number | undefined;
    for await (const { subject, sequence, storedAt, headers } of readStream(nc, jsm, { stream })) {
      if (headers["kv-operation"] === undefined) continue;
      now ??= await serverNow(jsm, stream);
      if (now - storedAt < olderThanMs) continue;
      await request(`forget what was removed from ${this.#bucket}`, () =>
        jsm.streams.purge(stream, { filter: subject, seq: sequence + 1 }),
      );
    }
  }

  /**
   * The revision is the place in the bucket's stream, so that exactly this message goes; a deletion
   * of the bucket's own would add one.
   */
  async erase(key: string, expected: number): Promise<boolean> {
    toKvKey(key);
    try {
      return await removeMessage(this.#server.jsm, `KV_${this.#bucket}`, expected);
    } catch (error) {
      throw asMillraceError(error, `erase ${this.#bucket}/${key}`);
    }
  }

  now(): Promise<number> {
    return serverNow(this.#server.jsm, `KV_${this.#bucket}`);
  }

  /** @param waits whether a bucket that is not there is waited for */
  async watch(
    listener: (change: { readonly key: string; readonly document: Document | undefined }) => void,
    only?: string,
    waits = false,
  ): Promise<{ stop(): Promise<void> }> {
    const { nc, jsm } = this.#server;
    return watchBucket({
      nc,
      jsm,
      waits,
      bucket: this.#bucket,
      only: only === undefined ? undefined : toKvKey(only),
      onEntry: (entry) => listener({ key: fromKvKey(entry.key), document: this.#document(entry) }),
      onProblem: this.#onProblem,
    });
  }

  /**
   * A write to the bucket is a message to all who listen, before and whether or not the bucket's
   * leader takes it.
   */
  async hearPuts(
    listener: (put: Pick<Document, "key" | "value">) => void,
  ): Promise<{ stop(): Promise<void> }> {
    const prefix = `$KV.${this.#bucket}.`;
    return subscribe(this.#server, {
      subject: `${prefix}>`,
      doing: `listen to ${this.#bucket}`,
      onProblem: this.#onProblem,
      hear: (msg) => {
        if (readHeaders(msg)["kv-operation"] !== undefined) return;
        const key = fromKvKey(msg.subject.slice(prefix.length));
        const document = this.#decode(key, 0, msg.data, 0);
        if (document !== undefined) listener({ key, value: document.value });
      },
    });
  }

  #document(entry: BucketEntry): Document | undefined {
    return entry.operation === "PUT"
      ? this.#decode(fromKvKey(entry.key), entry.revision, entry.value, entry.created.getTime())
      : undefined;
  }

  /**
   * A value that is no JSON, or has too many values, was written by something else; it is shown as
   * absent and reported, and a write may replace it.
   */
  #decode(
    key: string,
    revision: number,
    bytes: Uint8Array,
    updatedAt: number,
  ): Document | undefined {
    const found = this.#read(key, revision, bytes, updatedAt);
    return "unreadable" in found ? undefined : found;
  }

  #read(
    key: string,
    revision: number,
    bytes: Uint8Array,
    updatedAt: number,
  ): Document | UnreadableDocument {
    try {
      return { key, value: readJson(bytes), revision, updatedAt };
    } catch (error) {
      this.#onProblem(error, `read ${this.#bucket}/${key} as JSON`);
      // The engine's own messages quote the text, which may hold a secret.
      const unreadable = error instanceof SyntaxError ? "it is no JSON" : String(error);
      return { key, revision, updatedAt, unreadable };
    }
  }

  #writeError(error: unknown, key: string, expected: number | undefined): MillraceError {
    if (!isWrongSequence(error) && !isConflict(error))
      return asMillraceError(error, `write ${this.#bucket}/${key}`);
    const wanted =
      expected === 0 ? "was to be new and exists" : `is no longer at revision ${expected}`;
    return new MillraceError(
      "revision-conflict",
      `The document ${this.#bucket}/${key} ${wanted}. Read it again and decide anew.`,
      { cause: error },
    );
  }
}

function isConflict(error: unknown): boolean {
  return MillraceError.is(error, "conflict");
}

function encodeValue(value: unknown, key: string): Uint8Array {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    throw new MillraceError(
      "unserializable-payload",
      `The document ${key} can't be written as JSON. Give plain data.`,
      { cause },
    );
  }
  if (text === undefined)
    throw new MillraceError(
      "unserializable-payload",
      `The document ${key} has no value. Give plain data; remove it to have none.`,
    );
  return writeJson(text);
}
