export interface Document {
  readonly key: string;
  readonly value: unknown;
  /**
   * Grows with every write to the whole store: of two documents, the one with the higher was
   * written later.
   */
  readonly revision: number;
  /**
   * When this revision was written, epoch milliseconds by the server's clock. To be compared with
   * `now()` and with nobody's own clock.
   */
  readonly updatedAt: number;
}

/** A document that somebody has written, and whose value can't be read. */
export interface UnreadableDocument extends Pick<Document, "key" | "revision" | "updatedAt"> {
  /** What is wrong with it. */
  readonly unreadable: string;
}

/** Which part of the documents is read, in the order in which they were last written. */
export interface DocumentPageQuery {
  /** Only keys that begin with these tokens and a dot. Default: all. */
  readonly under?: string;
  readonly order: "oldest first" | "newest first";
  /** The revision to go on behind, which is not read again: `next` of the page before. */
  readonly after?: number;
  readonly limit: number;
}

export interface DocumentPage {
  readonly documents: readonly Document[];
  /** Where the next page goes on. Left out at the end. */
  readonly next?: number;
}

/** How a bucket is opened, and created. */
export interface DocumentOptions {
  /**
   * For whoever only looks, mostly: a bucket that is not there is not created. It holds nothing,
   * and the first write creates it.
   */
  readonly look?: boolean;
  /** Default: documents stay until somebody removes them. */
  readonly maxAgeMs?: number;
}

/** Small documents with compare-and-set. Keys follow the rule of ids, with dots. */
export interface DocumentStore {
  /** What can't be read counts as absent, and is reported. */
  get(key: string): Promise<Document | undefined>;
  /**
   * Like `get`, but throws if a document is unreadable. For callers that must not take an
   * unreadable document for a missing one, such as a machine that goes on for one that nobody has
   * started.
   */
  find(key: string): Promise<Document | UnreadableDocument | undefined>;
  /**
   * The same for less, where much is read: the newest document in all but one case. While a bucket
   * gets more copies, or they are counted wrongly, it may be one that was overwritten a moment ago.
   * So only act on what you expect to find, or write at the revision that was read; for anything
   * else `get`.
   */
  peek(key: string): Promise<Document | undefined>;
  list(): Promise<readonly Document[]>;
  /**
   * A part of what `list` reads: its work follows `limit`, not the number of documents. A document
   * that is written between two pages moves to where the newest are.
   */
  page(query: DocumentPageQuery): Promise<DocumentPage>;
  /**
   * @param expected the revision the caller read, 0 for "must not exist", undefined for "whatever
   *   it is"
   * @returns the new revision
   * @throws MillraceError `revision-conflict`; where an earlier copy of this very write may have
   *   been carried out and overwritten since, its answer lost, the `publish-timeout` is among the
   *   error's causes
   */
  put(key: string, value: unknown, expected?: number): Promise<number>;
  /** Removing what is gone is fine. @throws MillraceError `revision-conflict` */
  remove(key: string, expected?: number): Promise<void>;
  /**
   * What is removed leaves a trace for a while, so that a watcher that was away learns of it; where
   * many keys come and go, somebody has to have the old traces dropped. Any number of nodes may, at
   * any time.
   */
  forgetRemoved(options: { readonly olderThanMs: number }): Promise<void>;
  /**
   * Removes a document. Unlike `remove`, it leaves no tombstone, and watchers are not told. For
   * documents that come and go by the thousand and that nobody watches.
   *
   * @param expected the revision that is to go
   * @returns false where the document is at another revision, or gone
   */
  erase(key: string, expected: number): Promise<boolean>;
  /**
   * The server's time, epoch milliseconds: by how much a document has aged, whatever the clocks of
   * those who wrote it.
   */
  now(): Promise<number>;
  /**
   * Calls for each document that changes from now on, also for those that changed during an outage,
   * once it is over. If one document changes several times in quick succession, perhaps only the
   * last change is told. The last one is always told. Watch first, then list: then nothing is
   * missed.
   *
   * @param only the one key that is watched. Default: all
   */
  watch(
    listener: (change: { readonly key: string; readonly document: Document | undefined }) => void,
    only?: string,
  ): Promise<{ stop(): Promise<void> }>;
  /**
   * Calls for each document that somebody puts from now on, as soon as the connection hears of it:
   * perhaps before it is stored, so the store may yet refuse it. What is put while the connection
   * is down goes by unheard. It needs no elected leader, which `watch` does. Use it beside `watch`
   * if seconds matter.
   */
  hearPuts(
    listener: (put: { readonly key: string; readonly value: unknown }) => void,
  ): Promise<{ stop(): Promise<void> }>;
}
