import {
  type Clock,
  decodeBody,
  type Document,
  type DocumentOptions,
  type DocumentPage,
  type DocumentPageQuery,
  type DocumentStore,
  encodeMsgpack,
  MillraceError,
} from "@millrace/core";
import type { Connection } from "../connection.ts";

type Change = Parameters<Parameters<DocumentStore["watch"]>[0]>[0];

/** As a server's `max_payload` is by default. */
const MOST_BYTES = 1_048_576;

/**
 * One bucket of documents, shared by every connection; values are kept as bytes, so that nobody
 * shares an object.
 */
export class DocumentBucket {
  readonly #clock: Clock;
  readonly #entries = new Map<
    string,
    { readonly bytes: Uint8Array; readonly revision: number; readonly updatedAt: number }
  >();
  readonly #watchers = new Set<(change: Change) => void>();
  readonly #maxAgeMs: number;
  #lastRevision = 0;

  constructor(clock: Clock, { maxAgeMs = Number.POSITIVE_INFINITY }: DocumentOptions = {}) {
    this.#clock = clock;
    this.#maxAgeMs = maxAgeMs;
  }

  get(key: string): Document | undefined {
    this.#forgetOld();
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const { bytes, revision, updatedAt } = entry;
    return { key, value: decodeBody(bytes, "application/msgpack"), revision, updatedAt };
  }

  now(): number {
    return this.#clock.now();
  }

  list(): readonly Document[] {
    return [...this.#entries.keys()]
      .map((key) => this.get(key))
      .filter((document) => document !== undefined);
  }

  page({ under, order, after, limit }: DocumentPageQuery): DocumentPage {
    this.#forgetOld();
    const sign = order === "oldest first" ? 1 : -1;
    const left = [...this.#entries]
      .filter(([key]) => under === undefined || key.startsWith(`${under}.`))
      .filter(([, { revision }]) => after === undefined || sign * (revision - after) > 0)
      .toSorted(([, a], [, b]) => sign * (a.revision - b.revision));
    const documents = left
      .slice(0, limit)
      .map(([key]) => this.get(key))
      .filter((document) => document !== undefined);
    const next = left.length > limit ? documents.at(-1)?.revision : undefined;
    return { documents, ...(next === undefined ? {} : { next }) };
  }

  put(key: string, value: unknown, expected: number | undefined): number {
    this.#requireRevision(key, expected);
    const bytes = encodeMsgpack(value);
    if (bytes.length > MOST_BYTES)
      throw new MillraceError(
        "payload-too-large",
        `The document ${key} takes ${bytes.length} bytes, and a server takes ${MOST_BYTES} by default. Keep less in it.`,
      );
    const revision = (this.#lastRevision += 1);
    this.#entries.set(key, { bytes, revision, updatedAt: this.#clock.now() });
    this.#tell(key);
    return revision;
  }

  remove(key: string, expected: number | undefined): void {
    this.#requireRevision(key, expected);
    if (!this.#entries.delete(key)) return;
    this.#lastRevision += 1;
    this.#tell(key);
  }

  erase(key: string, expected: number): boolean {
    return this.#entries.get(key)?.revision === expected && this.#entries.delete(key);
  }

  watch(watcher: (change: Change) => void): () => void {
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  #tell(key: string): void {
    for (const watcher of [...this.#watchers]) watcher({ key, document: this.get(key) });
  }

  #forgetOld(): void {
    if (this.#maxAgeMs === Number.POSITIVE_INFINITY) return;
    const before = this.#clock.now() - this.#maxAgeMs;
    for (const [key, { updatedAt }] of this.#entries)
      if (updatedAt < before) this.#entries.delete(key);
  }

  #requireRevision(key: string, expected: number | undefined): void {
    this.#forgetOld();
    const actual = this.#entries.get(key)?.revision ?? 0;
    if (expected === undefined || expected === actual) return;
    throw new MillraceError(
      "revision-conflict",
      `The document ${key} is at revision ${actual}, not ${expected}. Read it again, then decide again.`,
    );
  }
}

/** One connection's access to a bucket. */
export class MemoryDocuments implements DocumentStore {
  readonly #bucket: DocumentBucket;
  readonly #connection: Connection;

  constructor(bucket: DocumentBucket, connection: Connection) {
    this.#bucket = bucket;
    this.#connection = connection;
  }

  async get(key: string): Promise<Document | undefined> {
    this.#connection.reach();
    return this.#bucket.get(key);
  }

  /** What was taken can be read here. */
  find(key: string): Promise<Document | undefined> {
    return this.get(key);
  }

  peek(key: string): Promise<Document | undefined> {
    return this.get(key);
  }

  async list(): Promise<readonly Document[]> {
    this.#connection.reach();
    return this.#bucket.list();
  }

  async page(query: DocumentPageQuery): Promise<DocumentPage> {
    this.#connection.reach();
    return this.#bucket.page(query);
  }

  async put(key: string, value: unknown, expected?: number): Promise<number> {
    this.#connection.reach();
    return this.#bucket.put(key, value, expected);
  }

  async remove(key: string, expected?: number): Promise<void> {
    this.#connection.reach();
    this.#bucket.remove(key, expected);
  }

  /** Nothing here leaves a trace. */
  async forgetRemoved(): Promise<void> {
    this.#connection.reach();
  }

  async erase(key: string, expected: number): Promise<boolean> {
    this.#connection.reach();
    return this.#bucket.erase(key, expected);
  }

  async now(): Promise<number> {
    this.#connection.reach();
    return this.#bucket.now();
  }

  async watch(
    listener: (change: Change) => void,
    only?: string,
  ): Promise<{ stop(): Promise<void> }> {
    this.#connection.reach();
    let watching = true;
    const unwatch = this.#bucket.watch((change) =>
      this.#connection.deliver(() => {
        if (watching && (only === undefined || change.key === only)) listener(change);
      }),
    );
    return this.#connection.attach(() => {
      watching = false;
      unwatch();
    });
  }

  async hearPuts(
    listener: (put: Pick<Document, "key" | "value">) => void,
  ): Promise<{ stop(): Promise<void> }> {
    this.#connection.reach();
    const unwatch = this.#bucket.watch(({ key, document }) => {
      if (document === undefined || !this.#connection.isConnected) return;
      this.#connection.deliver(() => listener({ key, value: document.value }));
    });
    return this.#connection.attach(unwatch);
  }
}
