import type {
  EnqueueRef,
  HistoryQuery,
  HistoryRecord,
  HistoryStore,
  JobRef,
  StoredRecord,
  Stretch,
  StretchQuery,
  TailQuery,
} from "@millrace/core";
import type { Line } from "./line.ts";

/** One connection's access to the history. */
export class HistoryClient implements HistoryStore {
  readonly #line: Line;

  constructor(line: Line) {
    this.#line = line;
  }

  read(query: HistoryQuery): Promise<readonly HistoryRecord[]> {
    const { history } = this.#line.server;
    return this.#line.call({ point: `history ${query.id}`, act: () => history.read(query) });
  }

  stored(query: HistoryQuery): Promise<readonly StoredRecord[]> {
    const { history } = this.#line.server;
    return this.#line.call({ point: `stored ${query.id}`, act: () => history.stored(query) });
  }

  endOf(job: EnqueueRef): Promise<StoredRecord | undefined> {
    const { history } = this.#line.server;
    return this.#line.call({ point: `end ${job.id}`, act: () => history.endOf(job) });
  }

  last(job: JobRef, kind: "ended" | "requeued"): Promise<StoredRecord | undefined> {
    const { history } = this.#line.server;
    return this.#line.call({ point: `${kind} ${job.id}`, act: () => history.last(job, kind) });
  }

  recent(options: { queue?: string; limit: number }): Promise<readonly HistoryRecord[]> {
    const { history } = this.#line.server;
    return this.#line.call({ point: "recent", act: () => history.recent(options) });
  }

  tail(query: TailQuery): Promise<readonly StoredRecord[]> {
    const { history } = this.#line.server;
    return this.#line.call({ point: "tail", act: () => history.tail(query) });
  }

  stretch(query: StretchQuery): Promise<Stretch> {
    const { history } = this.#line.server;
    return this.#line.call({ point: "stretch", act: () => history.stretch(query) });
  }

  async follow(
    query: HistoryQuery,
    listener: (record: HistoryRecord) => void,
  ): Promise<{ stop(): Promise<void> }> {
    return this.#listen(query, listener, async () => {
      for (const record of await this.read(query)) listener(record);
    });
  }

  watch(
    { queue }: { readonly queue?: string },
    listener: (record: HistoryRecord) => void,
  ): Promise<{ stop(): Promise<void> }> {
    return this.#listen(queue === undefined ? {} : { queue }, listener, async () => {});
  }

  /** Told by the records that are stored: their order over the line is theirs in the stream. */
  async #listen(
    query: Partial<HistoryQuery>,
    listener: (record: HistoryRecord) => void,
    catchUp: () => Promise<void>,
  ): Promise<{ stop(): Promise<void> }> {
    const { history } = this.#line.server;
    await this.#line.call({ point: `follow ${query.id ?? ""}`, act: () => undefined });
    let following = true;
    const unfollow = history.follow({
      query,
      notify: () => {
        const stored = history.tail({ withinMs: 0, limit: 1 })[0];
        if (stored === undefined) return;
        this.#line.deliver(() => {
          if (following) listener(stored.record);
        });
      },
    });
    const unstatus = this.#line.onStatus((status) => {
      if (status === "connected") catchUp().catch(() => {});
    });
    return this.#line.attach(() => {
      following = false;
      unfollow();
      unstatus();
    });
  }
}
