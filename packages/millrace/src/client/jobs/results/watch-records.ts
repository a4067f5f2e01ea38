import { type Broker, type HistoryRecord, MillraceError } from "@millrace/core";
import { endsAtOnce } from "./ends-at-once.ts";

/** How a delivery of a job ended: `requeued` where another attempt follows. */
export type RecordedState = HistoryRecord["state"];

/** Which ends of jobs to watch for, and until when. */
export interface WatchQuery {
  readonly queue?: string;
  /** Only jobs of this name. */
  readonly name?: string;
  /** Only what ends so. */
  readonly state?: RecordedState;
  /** Ends the watching; the loop ends without an error. */
  readonly signal?: AbortSignal;
}

/** A reader that falls behind must not fill the memory. */
const MOST_UNREAD = 10_000;

/**
 * Records as they are written, for one reader. Listens from the first read on, and lets go of all
 * it holds when the reading ends: `return()` ends it at once, also while a record is waited for.
 *
 * @param onListening from when on nothing is missed
 * @throws MillraceError `reader-too-slow`, `permission-denied` …
 */
export function watchRecords(
  broker: Broker,
  query: WatchQuery,
  onListening: () => void = () => {},
): AsyncIterableIterator<HistoryRecord, void, undefined> {
  const inbox = new Inbox();
  return endsAtOnce(read(broker, query, inbox, onListening), () => inbox.end(), {
    ...{ signal: query.signal, atSignal: "ends" },
  });
}

async function* read(
  broker: Broker,
  { queue, name, state, signal }: WatchQuery,
  inbox: Inbox,
  onListening: () => void,
): AsyncGenerator<HistoryRecord, void, undefined> {
  if (signal?.aborted === true) return;
  const end = (): void => inbox.end();
  signal?.addEventListener("abort", end, { once: true });
  const unlisten = broker.onStatus((status) => {
    if (status === "closed") end();
  });
  let watching: { stop(): Promise<void> } | undefined;
  try {
    watching = await broker.history.watch(queue === undefined ? {} : { queue }, (record) => {
      if (name !== undefined && record.name !== name) return;
      if (state === undefined || record.state === state) inbox.put(record);
    });
    onListening();
    yield* inbox.records();
  } finally {
    signal?.removeEventListener("abort", end);
    unlisten();
    // Its connection may be gone, and then it went with it.
    await watching?.stop().catch(() => {});
  }
}

class Inbox {
  #unread: HistoryRecord[] = [];
  #over: "no" | "ended" | "too slow" = "no";
  #wake: () => void = () => {};

  put(record: HistoryRecord): void {
    if (this.#over !== "no") return;
    if (this.#unread.length === MOST_UNREAD) this.#over = "too slow";
    else this.#unread.push(record);
    this.#wake();
  }

  end(): void {
    if (this.#over === "no") this.#over = "ended";
    this.#wake();
  }

  /** What was told before the end is read first. */
  async *records(): AsyncGenerator<HistoryRecord, void, undefined> {
    for (;;) {
      const told = this.#unread;
      this.#unread = [];
      yield* told;
      if (this.#unread.length > 0) continue;
      if (this.#over === "ended") return;
      if (this.#over === "too slow") throw tooSlow();
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

function tooSlow(): MillraceError {
  return new MillraceError(
    "reader-too-slow",
    `${MOST_UNREAD} records wait to be read, and more came. Read faster, or watch less: one queue, one name, one state.`,
  );
}
