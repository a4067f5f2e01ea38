import type {
  Clock,
  Document,
  DocumentPage,
  DocumentPageQuery,
  DocumentStore,
  UnreadableDocument,
} from "@millrace/core";
import { orWithoutStream } from "../jetstream-errors.ts";
import type { NatsDocuments } from "./documents.ts";

type Watcher = Parameters<DocumentStore["watch"]>[0];

/**
 * A bucket to whoever looks. One that is not there holds nothing, and the first write makes it: an
 * empty bucket that a look has made would be in the way of a backup's restore, and whoever may only
 * read is refused to make one.
 */
export class LookedAtDocuments implements DocumentStore {
  readonly #documents: NatsDocuments;
  readonly #make: () => Promise<DocumentStore>;
  readonly #clock: Pick<Clock, "now">;

  constructor(
    documents: NatsDocuments,
    make: () => Promise<DocumentStore>,
    clock: Pick<Clock, "now">,
  ) {
    this.#documents = documents;
    this.#make = make;
    this.#clock = clock;
  }

  get(key: string): Promise<Document | undefined> {
    return orWithoutStream(undefined, () => this.#documents.get(key));
  }

  find(key: string): Promise<Document | UnreadableDocument | undefined> {
    return orWithoutStream(undefined, () => this.#documents.find(key));
  }

  peek(key: string): Promise<Document | undefined> {
    return orWithoutStream(undefined, () => this.#documents.peek(key));
  }

  list(): Promise<readonly Document[]> {
    return orWithoutStream([], () => this.#documents.list());
  }

  page(query: DocumentPageQuery): Promise<DocumentPage> {
    return orWithoutStream({ documents: [] }, () => this.#documents.page(query));
  }

  /** Where there is nothing that has aged, the own clock will do. */
  now(): Promise<number> {
    return orWithoutStream(this.#clock.now(), () => this.#documents.now());
  }

  async put(key: string, value: unknown, expected?: number): Promise<number> {
    return (await this.#make()).put(key, value, expected);
  }

  async remove(key: string, expected?: number): Promise<void> {
    return (await this.#make()).remove(key, expected);
  }

  forgetRemoved(options: { readonly olderThanMs: number }): Promise<void> {
    return orWithoutStream(undefined, () => this.#documents.forgetRemoved(options));
  }

  erase(key: string, expected: number): Promise<boolean> {
    return orWithoutStream(false, () => this.#documents.erase(key, expected));
  }

  watch(listener: Watcher, only?: string): Promise<{ stop(): Promise<void> }> {
    return this.#documents.watch(listener, only, true);
  }

  hearPuts(listener: Parameters<DocumentStore["hearPuts"]>[0]): Promise<{ stop(): Promise<void> }> {
    return this.#documents.hearPuts(listener);
  }
}
