import {
  type Broker,
  type Clock,
  defined,
  type HistoryRecord,
  MillraceError,
  type PlacedRecord,
  type Stoppable,
  type Stretch,
  type StretchQuery,
} from "@millrace/core";
import { endsAtOnce } from "./jobs/results/ends-at-once.ts";
import { HOPELESS } from "./jobs/hopeless.ts";
import type { RecordedState } from "./jobs/results/watch-records.ts";

/** What became of a job: one event for each attempt that ended. */
export interface JobEvent extends HistoryRecord {
  /**
   * Its place in the history. Store it when the event is handled, and go on with it as `after`. It
   * only grows, and there are gaps.
   */
  readonly position: number;
  /** By the server's clock, epoch milliseconds. */
  readonly storedAt: number;
}

export interface EventFilter {
  readonly queue?: string;
  readonly name?: string;
  readonly states: ReadonlySet<RecordedState>;
  readonly after?: number;
  readonly signal?: AbortSignal;
}

/** What is heard is published, and can be read a moment later. */
const FIRST_PAUSE_MS = 50;
/**
 * Where nothing is heard: a subscription that is new to a cluster may miss a record. And after a
 * failure.
 */
const LONGEST_PAUSE_MS = 5_000;

/**
 * Events in the order of storing, read from the history, each once for each time it was stored.
 * Opens nothing before it is read from, and lets go of all it holds when the reading ends:
 * `return()` ends it at once, also while an event is waited for. An outage only delays it.
 *
 * @throws MillraceError `events-missed`, `permission-denied` …
 */
export function followEvents(
  broker: Broker,
  clock: Clock,
  filter: EventFilter,
): AsyncIterableIterator<JobEvent, void, undefined> {
  const bell = new Bell(clock);
  return endsAtOnce(read(broker, filter, bell), () => bell.end(), {
    ...{ signal: filter.signal, atSignal: "ends" },
  });
}

async function* read(
  broker: Broker,
  filter: EventFilter,
  bell: Bell,
): AsyncGenerator<JobEvent, void, undefined> {
  const { queue, name, states, signal } = filter;
  if (signal?.aborted === true) return;
  const end = (): void => bell.end();
  signal?.addEventListener("abort", end, { once: true });
  const unlisten = broker.onStatus((status) => {
    if (status === "connected") bell.ring();
    if (status === "closed") bell.end();
  });
  let listening: Stoppable | undefined;
  let after = filter.after;
  try {
    while (!bell.isOver) {
      let stretch: Stretch | undefined;
      try {
        // Listened to first, then read: what comes in between rings.
        listening ??= await broker.history.watch(queue === undefined ? {} : { queue }, () =>
          bell.ring(),
        );
        stretch = await nextStretch(broker, filter, after);
      } catch (error) {
        if (!MillraceError.is(error) || HOPELESS.has(error.code)) throw error;
        bell.failed();
      }
      if (stretch !== undefined) {
        requireComplete(stretch, after);
        for (const { record, position, storedAt } of stretch.records) {
          if (bell.isOver) return;
          if (states.has(record.state) && (name === undefined || record.name === name))
            yield { ...record, position, storedAt };
        }
        after = stretch.until;
        if (stretch.until < stretch.newest) continue;
      }
      await bell.rings();
    }
  } finally {
    signal?.removeEventListener("abort", end);
    unlisten();
    bell.end();
    // Its connection may be gone, and then it went with it.
    await listening?.stop().catch(() => {});
  }
}

/** From now on: the first look only finds out where that is. */
async function nextStretch(
  broker: Broker,
  { queue, states }: EventFilter,
  after: number | undefined,
): Promise<Stretch> {
  const { history } = broker;
  const kind = kindOf(states);
  const query: Omit<StretchQuery, "after"> = defined({ queue, kind });
  if (after !== undefined) return history.stretch({ ...query, after });
  const { oldest, newest } = await history.stretch({ ...query, after: Number.MAX_SAFE_INTEGER });
  return { oldest, newest, until: newest, records: NONE };
}

const NONE: readonly PlacedRecord[] = Object.freeze([]);

/** What nobody wants is not read. */
function kindOf(states: ReadonlySet<RecordedState>): StretchQuery["kind"] {
  if (!states.has("requeued")) return "ended";
  return states.size === 1 ? "requeued" : undefined;
}

/** @throws MillraceError `events-missed` */
function requireComplete({ oldest, newest }: Stretch, after: number | undefined): void {
  if (after === undefined || after === 0) return;
  if (after < oldest - 1)
    throw new MillraceError(
      "events-missed",
      `The history goes back to position ${oldest}, so some events after ${after} are gone. Read on with after: 0, from the oldest that is left, and look up what may be missing.`,
    );
  if (after > newest)
    throw new MillraceError(
      "events-missed",
      `The newest event has the position ${newest}, so ${after} is of another history: another namespace, or one that was deleted since. Read on with after: 0.`,
    );
}

/** Wakes the reader: at once where somebody rings, and after a pause in any case. */
class Bell {
  readonly #clock: Clock;
  #rung = false;
  #over = false;
  #pauseMs = FIRST_PAUSE_MS;
  #wake: () => void = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isOver(): boolean {
    return this.#over;
  }

  ring(): void {
    this.#rung = true;
    this.#pauseMs = FIRST_PAUSE_MS;
    this.#wake();
  }

  /** The broker could not be asked. */
  failed(): void {
    this.#rung = false;
    this.#pauseMs = Math.max(this.#pauseMs, 1_000);
  }

  end(): void {
    this.#over = true;
    this.#wake();
  }

  /** Looks again ever later: what was heard last may not be readable yet. */
  async rings(): Promise<void> {
    if (!this.#rung && !this.#over) {
      const woken = Promise.withResolvers<void>();
      this.#wake = woken.resolve;
      const timer = this.#clock.setTimer(this.#pauseMs, woken.resolve);
      await woken.promise;
      timer.cancel();
    }
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
    this.#rung = false;
  }
}
