import { type Broker, type Clock, MillraceError, type Stoppable } from "@millrace/core";
import type { ShowValue } from "@millrace/telemetry/masking";
import { HeldNews } from "./held-news.ts";
import {
  type AskedIndex,
  type Cursors,
  type News,
  NOTHING_READ,
  withoutQueues,
} from "./index-calls.ts";
import { ofNoQueue, readElsewhere } from "./kept-elsewhere.ts";
import { isSound } from "./sound-news.ts";
import { arrivalNews, letterNews, recordNews, waitingNews } from "./news-of.ts";

export interface FollowerOptions {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly index: AskedIndex;
  readonly show: ShowValue;
  readonly identity: string;
  readonly keepMs: number;
  readonly maxBytes: number;
}

/** How far an index is. Positions are the history's. */
export interface Progress {
  readonly position: number;
  readonly newest: number;
  /** Records behind the position, where none are missing between. */
  readonly behind: number;
  /** More was heard at once than could be held. */
  readonly unheard: number;
}

interface ReadQueues {
  readonly ends: ReadonlyMap<string, { readonly oldest: number; readonly newest: number }>;
  /** Of a queue that could not be read. It is read again in the next round. */
  readonly failure: MillraceError | undefined;
}

const PAGE = 1_000;
/** Records that are asked for and written at once. */
const STRETCH = 2_000;
const LETTER_PAGE = 200;
/** How many delayed and blocked jobs of each queue are read for their payloads. */
const MOST_WAITING = 20_000;
const HEARD_KEPT_MS = 3_600_000;
const ALL_QUEUES_MS = 10_000;
const PRUNE_MS = 60_000;
/**
 * For so long a history that is shorter than it was is not believed: a leader that was replaced
 * answers from what it had for up to 20 s.
 */
const SHORTER_MS = 30_000;
/** Between two times that a history is read anew which was cut off. */
const CUT_OFF_MS = 600_000;
const NOTHING_LEFT = { oldest: Number.MAX_SAFE_INTEGER, newest: 0 };

/** Reads the streams into an index, from where it was. One round after the other. */
export class IndexFollower {
  readonly #options: FollowerOptions;
  #cursors: Cursors = NOTHING_READ;
  #oldest = 1;
  #newest = 0;
  readonly #heard: HeldNews;
  #moved = new Set<string>();
  #allQueuesAt = Number.NEGATIVE_INFINITY;
  #prunedAt = Number.NEGATIVE_INFINITY;
  #isFresh = true;
  /** Records went that were never read. */
  #isCutOff = false;
  #clearedAt = Number.NEGATIVE_INFINITY;
  /** The history has been shorter than what was read since then, by the monotonic clock. */
  #shorterSince: number | undefined;
  #isStopped = false;
  /** By this process, and not by another. */
  #isKept = true;

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#heard = new HeldNews(options);
  }

  get progress(): Progress {
    const { position } = this.#cursors;
    const behind = Math.max(0, this.#newest - Math.max(position, this.#oldest - 1));
    return { position, newest: this.#newest, behind, unheard: this.#heard.unheard };
  }

  /** Whether it has not read yet what there was before. */
  get isFresh(): boolean {
    return this.#isFresh;
  }

  async open(): Promise<void> {
    const { index, identity, maxBytes } = this.#options;
    const { cursors, isKept } = await index.ask("open", { identity, maxBytes });
    this.#begin(cursors);
    this.#isKept = isKept;
    this.#newest = cursors.position;
  }

  #begin(cursors: Cursors): void {
    this.#cursors = cursors;
    this.#isFresh = true;
    this.#allQueuesAt = Number.NEGATIVE_INFINITY;
  }

  isOpen(): Promise<boolean> {
    return this.#options.index.ask("isOpen", {});
  }

  async clear(): Promise<void> {
    if (!this.#isKept)
      throw new MillraceError("index-failed", "Another process keeps the index: ask that one.");
    await this.#options.index.ask("clear", {});
    this.#begin(NOTHING_READ);
    this.#clearedAt = this.#options.clock.monotonic();
    this.#isCutOff = false;
    this.#shorterSince = undefined;
  }

  /** A round that goes on ends before its next write: it throws. */
  stop(): void {
    this.#isStopped = true;
  }

  /** @param onNews called when there is something to read */
  hear(onNews: () => void): Promise<Stoppable> {
    return this.#options.broker.arrivals.hear((envelope) => {
      this.#moved.add(envelope.queue);
      this.#heard.hold(envelope);
      onNews();
    });
  }

  /**
   * Reads all there is now. Throws where the server or the index can't be used, and in the end
   * where a queue could not be read: the others' jobs are found all the same.
   */
  async round(): Promise<void> {
    if (!this.#isKept && (await this.#isReadElsewhere())) return;
    if (!(await this.#isSameHistory())) await this.clear();
    // Before what is stored: it is joined with that.
    await this.#writeHeard();
    const { ends, failure } = await this.#readQueues();
    await this.#readHistory();
    // Also where nobody has died: the undo of a retry puts a letter back, and writes no record.
    await this.#readLetters();
    if (this.#isFresh) await this.#readWaiting();
    // Each had its record before it left its queue, and the history was read since.
    for (const [queue, { oldest, newest }] of ends)
      await this.#options.index.ask("dropGone", { queue, oldest, newest });
    // Not before that: a round that is broken off leaves it to the next one, or to whoever comes.
    const gone = [...ends.keys()].filter((queue) => ends.get(queue) === NOTHING_LEFT);
    await this.#write([], withoutQueues(this.#cursors, gone));
    await this.#prune(false);
    this.#isFresh = false;
    if (failure !== undefined) throw failure;
  }

  /** Whether another process keeps the file. Then all is in it that was stored before. */
  async #isReadElsewhere(): Promise<boolean> {
    const newest = await readElsewhere(this.#options, async () => {
      this.#goOn();
      const isFresh = this.#isFresh;
      await this.open();
      if (this.#isKept) return undefined;
      this.#isFresh = isFresh;
      return this.#cursors;
    });
    if (newest === undefined) return false;
    this.#newest = newest;
    this.#isFresh = false;
    // That one has heard it, too.
    this.#heard.drop();
    return true;
  }

  #goOn(): void {
    if (this.#isStopped) throw new MillraceError("index-failed", "The index of jobs is closed.");
  }

  #writeHeard(): Promise<void> {
    return this.#heard.write((news) => this.#write(news, this.#cursors));
  }

  /** Queues in which something moved, and from time to time all. */
  async #readQueues(): Promise<ReadQueues> {
    const { broker, clock } = this.#options;
    const ends = new Map<string, { oldest: number; newest: number }>();
    let failure: MillraceError | undefined;
    let names = [...this.#moved];
    this.#moved = new Set();
    if (clock.monotonic() - this.#allQueuesAt >= ALL_QUEUES_MS) {
      names = (await broker.queues.list()).map(({ queue }) => queue);
      for (const gone of Object.keys(this.#cursors.queues))
        if (!names.includes(gone)) ends.set(gone, NOTHING_LEFT);
      this.#allQueuesAt = clock.monotonic();
    }
    for (const name of names) {
      try {
        const found = await this.#readQueue(name);
        if (found !== undefined) ends.set(name, found);
      } catch (error) {
        // What ends the connection, or an outage, is no single queue's.
        if (!MillraceError.is(error, "jetstream-failed")) throw error;
        failure ??= error;
        this.#moved.add(name);
      }
    }
    return { ends, failure };
  }

  async #readQueue(queue: string): Promise<{ oldest: number; newest: number } | undefined> {
    const { broker, show } = this.#options;
    let after = this.#cursors.queues[queue] ?? 0;
    try {
      for (;;) {
        const part = await broker.arrivals.stretch(queue, { after, limit: PAGE });
        // A queue that was removed and made anew.
        if (part.newest < after) after = 0;
        else {
          after = part.until;
          const queues = { ...this.#cursors.queues, [queue]: after };
          const news = part.jobs.map((job) => arrivalNews(job, show));
          await this.#write(news, { ...this.#cursors, queues });
          await this.#writeHeard();
          if (after >= part.newest) return { oldest: part.oldest, newest: part.newest };
        }
      }
    } catch (error) {
      if (!MillraceError.is(error, "queue-not-found")) throw error;
      return NOTHING_LEFT;
    }
  }

  /** A stretch is read while the one before is written. */
  async #readHistory(): Promise<void> {
    const { broker, show } = this.#options;
    let written = Promise.resolve();
    try {
      for (let after = this.#cursors.position; ;) {
        const part = await broker.history.stretch({ after, limit: STRETCH });
        const { records, until, oldest, newest } = part;
        this.#oldest = oldest;
        this.#newest = newest;
        if (after > 0 && oldest > after + 1) this.#isCutOff = true;
        const news = records.map((record) => recordNews(record, show));
        await written;
        // A round over a long history takes minutes, and only so much can be held.
        await this.#writeHeard();
        if (until > after) {
          const positionAt = records.at(-1)?.storedAt ?? this.#cursors.positionAt;
          // Each is counted once: with it is written how far that is.
          written = this.#write(news, { ...this.#cursors, position: until, positionAt });
          // Told below, and not meanwhile.
          written.catch(() => {});
        }
        after = until;
        if (until >= newest) return;
      }
    } finally {
      await written;
    }
  }

  async #readLetters(): Promise<void> {
    const { broker, show } = this.#options;
    for (;;) {
      const page = await broker.deadLetters.list({
        ...{ after: this.#cursors.letters, limit: LETTER_PAGE },
      });
      const letters = page.at(-1)?.sequence;
      if (letters === undefined) return;
      const news = page.flatMap((letter) => letterNews(letter, show) ?? []);
      await this.#write(news, { ...this.#cursors, letters });
      if (page.length < LETTER_PAGE) return;
    }
  }

  /** What waits at gates and for its time left its queue before anybody here heard of it. */
  async #readWaiting(): Promise<void> {
    const { broker, show } = this.#options;
    for (let after = 0; ;) {
      const page = await broker.blocked.list({ after, limit: PAGE });
      const last = page.at(-1)?.sequence;
      if (last === undefined) break;
      after = last;
      await this.#write(
        page.map(({ envelope }) => waitingNews(envelope, show)),
        this.#cursors,
      );
    }
    for (const { queue, delayed } of await broker.queues.list()) {
      if (delayed === 0) continue;
      const waiting = await broker.listWaiting(queue, { limit: MOST_WAITING }).catch(ofNoQueue);
      const news = (waiting ?? [])
        .filter(({ state }) => state === "delayed")
        .map(({ envelope }) => waitingNews(envelope, show));
      for (let at = 0; at < news.length; at += PAGE)
        await this.#write(news.slice(at, at + PAGE), this.#cursors);
    }
  }

  /**
   * Where the history is another one, or was cut off before it was read, nobody knows what became
   * of the jobs: it is read anew. A history that is cut off faster than it can be read would be
   * read anew for ever, so that is done from time to time.
   */
  async #isSameHistory(): Promise<boolean> {
    const { position, positionAt } = this.#cursors;
    if (position === 0) return true;
    const { broker, clock } = this.#options;
    const { oldest, newest, records } = await broker.history.stretch({
      ...{ after: position - 1, limit: 1 },
    });
    const [first] = records;
    if (newest < position) {
      this.#shorterSince ??= clock.monotonic();
      return clock.monotonic() - this.#shorterSince < SHORTER_MS;
    }
    this.#shorterSince = undefined;
    if (first?.position === position && first.storedAt !== positionAt) return false;
    this.#isCutOff ||= oldest > position + 1;
    return !this.#isCutOff || clock.monotonic() - this.#clearedAt < CUT_OFF_MS;
  }

  async #prune(isTooLarge: boolean): Promise<void> {
    const { clock, index, keepMs } = this.#options;
    if (!isTooLarge && clock.monotonic() - this.#prunedAt < PRUNE_MS) return;
    this.#prunedAt = clock.monotonic();
    const now = clock.now();
    await index.ask("prune", { before: now - keepMs, heardBefore: now - HEARD_KEPT_MS });
  }

  async #write(news: readonly News[], cursors: Cursors): Promise<void> {
    this.#goOn();
    const isNew = news.length > 0 || cursors !== this.#cursors;
    const sound = news.filter(isSound);
    const isTooLarge = isNew && (await this.#options.index.ask("write", { news: sound, cursors }));
    this.#cursors = cursors;
    if (isTooLarge) await this.#prune(true);
  }
}
