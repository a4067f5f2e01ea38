import type { Document, DocumentPage, DocumentPageQuery, DocumentStore } from "@millrace/core";
import type { DocumentBucket } from "../../../packages/testkit/src/memory/stores/memory-documents.ts";
import type { Line } from "./line.ts";

type Change = Parameters<Parameters<DocumentStore["watch"]>[0]>[0];

/** One connection's access to a bucket. */
export class DocumentClient implements DocumentStore {
  readonly #line: Line;
  readonly #name: string;
  readonly #bucket: DocumentBucket;

  constructor(line: Line, name: string) {
    this.#line = line;
    this.#name = name;
    this.#bucket = line.server.bucket(name);
  }

  get(key: string): Promise<Document | undefined> {
    return this.#call("get", key, () => this.#bucket.get(key));
  }

  find(key: string): Promise<Document | undefined> {
    return this.get(key);
  }

  peek(key: string): Promise<Document | undefined> {
    return this.get(key);
  }

  list(): Promise<readonly Document[]> {
    return this.#call("list", "", () => this.#bucket.list());
  }

  page(query: DocumentPageQuery): Promise<DocumentPage> {
    return this.#call("page", query.under ?? "", () => this.#bucket.page(query));
  }

  /**
   * A copy of a write that was carried out has the same answer: broker-nats knows its own writes
   * again.
   */
  put(key: string, value: unknown, expected?: number): Promise<number> {
    let done: number | undefined;
    return this.#call("put", key, () => (done ??= this.#bucket.put(key, value, expected)));
  }

  remove(key: string, expected?: number): Promise<void> {
    let done = false;
    return this.#call("remove", key, () => {
      if (!done) this.#bucket.remove(key, expected);
      done = true;
    });
  }

  async forgetRemoved(): Promise<void> {
    await this.#call("forget", "", () => undefined);
  }

  erase(key: string, expected: number): Promise<boolean> {
    let done = false;
    return this.#call("erase", key, () => (done ||= this.#bucket.erase(key, expected)));
  }

  now(): Promise<number> {
    return this.#call("now", "", () => this.#bucket.now());
  }

  /** What changed during an outage is told after it. */
  async watch(
    listener: (change: Change) => void,
    only?: string,
  ): Promise<{ stop(): Promise<void> }> {
    const known = new Map<string, number>();
    const tell = (change: Change): void => {
      if (change.document === undefined) known.delete(change.key);
      else known.set(change.key, change.document.revision);
      if (only === undefined || change.key === only) listener(change);
    };
    const catchUp = async (): Promise<void> => {
      const documents = await this.list();
      const there = new Set(documents.map(({ key }) => key));
      for (const document of documents)
        if (known.get(document.key) !== document.revision) tell({ key: document.key, document });
      for (const key of known.keys()) if (!there.has(key)) tell({ key, document: undefined });
    };
    for (const { key, revision } of await this.list()) known.set(key, revision);
    const unwatch = this.#bucket.watch((change) => void this.#line.deliver(() => tell(change)));
    const unstatus = this.#line.onStatus((status) => {
      // Another outage reads again.
      if (status === "connected") catchUp().catch(() => {});
    });
    return this.#line.attach(() => {
      unwatch();
      unstatus();
    });
  }

  async hearPuts(
    listener: (put: Pick<Document, "key" | "value">) => void,
  ): Promise<{ stop(): Promise<void> }> {
    await this.#call("hear", "", () => undefined);
    const unwatch = this.#bucket.watch(({ key, document }) => {
      if (document === undefined) return;
      this.#line.deliver(() => listener({ key, value: document.value }));
    });
    return this.#line.attach(unwatch);
  }

  #call<T>(doing: string, key: string, act: () => T): Promise<T> {
    return this.#line.call({ point: `${doing} ${this.#name} ${key}`, act });
  }
}
