import {
  type Broker,
  type Clock,
  CONTROLS_BUCKET,
  type Document,
  type DocumentStore,
  type Logger,
  type QueueControls,
  type RateLimit,
  readControls,
  recordError,
  type Stoppable,
  type Timer,
} from "@millrace/core";

/** The limits that concern the jobs of one key. */
export interface KeyLimits {
  readonly keyConcurrency?: number;
  readonly keyRate?: RateLimit;
}

export interface QueueControlsHost {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly log: Logger;
}

type Listener = (controls: QueueControls) => void;

const NOTHING: QueueControls = Object.freeze({});
/** A watch that died without a word is found out by then. */
const LOOK_AGAIN_MS = 60_000;
const RETRY_MS = 1_000;
/**
 * Between the tries to read what was heard of. First the watch may tell, which nearly always does;
 * then it may not be stored yet, or its leader may be dying. A lost watch is replaced by the end.
 */
const READ_AFTER_MS = [25, 100, 400, 1_000, 3_000, 8_000] as const;

/**
 * The controls of all queues, as a node sees them now: watched, and listed at the start, after each
 * reconnect and once a minute.
 *
 * A watch whose server has died is silent for seconds before anybody knows. So a node also hears of
 * writes as they are asked for, and reads what became of them: they are compare-and-set, and one
 * that was heard of may be refused.
 *
 * Nothing is asked for a job. Open it before anything is pulled.
 */
export class QueueControlsView {
  readonly #host: QueueControlsHost;
  readonly #controls = new Map<string, QueueControls>();
  readonly #listeners = new Map<string, Set<Listener>>();
  /** Counts what the watch told, so that a list that was on its way meanwhile doesn't undo it. */
  #told = 0;
  readonly #toldAt = new Map<string, number>();
  /** The revision whose rubbish was complained of. */
  readonly #reported = new Map<string, number>();
  #watch: Stoppable | undefined;
  #ear: Stoppable | undefined;
  /** Of what is known, as far as a watch, a list or a read has shown it. */
  readonly #revisions = new Map<string, number>();
  /** Reads that are to come, by queue. */
  readonly #reads = new Map<string, Timer>();
  #state: "idle" | "open" | "stopped" = "idle";
  #isRefreshing = false;
  #timer: Timer | undefined;
  #unwatchStatus = (): void => {};

  constructor(host: QueueControlsHost) {
    this.#host = host;
  }

  /** What is set for the queue; an empty object where nothing is. */
  of(queue: string): QueueControls {
    return this.#controls.get(queue) ?? NOTHING;
  }

  /** For the gates of jobs with a key. What is absent is as the job's definition says. */
  limitsOf(queue: string): KeyLimits {
    const { concurrency, rate } = this.of(queue).perKey ?? {};
    return {
      ...(concurrency === undefined ? {} : { keyConcurrency: concurrency }),
      ...(rate === undefined ? {} : { keyRate: rate }),
    };
  }

  /**
   * Called after each change of the queue's controls.
   * @returns a function that removes the listener
   */
  onChange(queue: string, listener: Listener): () => void {
    const listeners = this.#listeners.get(queue) ?? new Set();
    this.#listeners.set(queue, listeners);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  /**
   * Resolves when all that was set before is known. Rejecting leaves nothing open: it may be called
   * again.
   */
  async open(): Promise<Stoppable> {
    try {
      await this.#refresh();
    } catch (error) {
      await this.#ear?.stop();
      this.#ear = undefined;
      throw error;
    }
    this.#state = "open";
    this.#unwatchStatus = this.#host.broker.onStatus((status) => {
      if (status === "connected") this.#refreshSoon(0);
    });
    this.#refreshSoon(LOOK_AGAIN_MS);
    return { stop: () => this.#stop() };
  }

  async #stop(): Promise<void> {
    this.#state = "stopped";
    this.#unwatchStatus();
    this.#timer?.cancel();
    for (const timer of this.#reads.values()) timer.cancel();
    this.#reads.clear();
    await Promise.all([this.#watch?.stop(), this.#ear?.stop()]);
    this.#watch = undefined;
    this.#ear = undefined;
  }

  /** Somebody asks for a change. Only the latest is followed: a read shows them all. */
  #hear(queue: string, tries = 0): void {
    this.#reads.get(queue)?.cancel();
    this.#reads.delete(queue);
    const afterMs = READ_AFTER_MS[tries];
    if (afterMs === undefined || this.#state === "stopped") return;
    const known = this.#revisions.get(queue) ?? 0;
    const timer = this.#host.clock.setTimer(afterMs, () => {
      this.#reads.delete(queue);
      void this.#readHeard(queue, known, tries);
    });
    this.#reads.set(queue, timer);
  }

  async #readHeard(queue: string, known: number, tries: number): Promise<void> {
    const isNews = (): boolean => (this.#revisions.get(queue) ?? 0) > known;
    try {
      if (isNews()) return;
      const store = await this.#host.broker.documents(CONTROLS_BUCKET);
      const document = await store.get(queue);
      // The watch, or another read, may have been faster.
      const isNewer =
        document !== undefined && document.revision > (this.#revisions.get(queue) ?? 0);
      if (isNewer && this.#state !== "stopped") this.#set(queue, document);
    } catch (error) {
      this.#host.log.debug(
        { queue, error: recordError(error) },
        "controls of a queue that were heard of could not be read yet",
      );
    }
    // Refused, or not stored yet.
    if (!isNews() && !this.#reads.has(queue)) this.#hear(queue, tries + 1);
  }

  #refreshSoon(delayMs: number): void {
    this.#timer?.cancel();
    if (this.#state !== "open") return;
    this.#timer = this.#host.clock.setTimer(delayMs, () => void this.#refreshNow());
  }

  async #refreshNow(): Promise<void> {
    if (this.#isRefreshing) return;
    this.#isRefreshing = true;
    let nextMs = LOOK_AGAIN_MS;
    try {
      await this.#refresh();
    } catch (error) {
      nextMs = RETRY_MS;
      this.#host.log.warn(
        { error: recordError(error) },
        "the controls of the queues could not be read; trying again",
      );
    }
    this.#isRefreshing = false;
    this.#refreshSoon(nextMs);
  }

  /** Watch first, then list: then nothing is missed. The old watch ends last. */
  async #refresh(): Promise<void> {
    const store = await this.#host.broker.documents(CONTROLS_BUCKET);
    this.#ear ??= await store.hearPuts(({ key }) => this.#hear(key));
    const watch = await store.watch(({ key, document }) => {
      this.#told += 1;
      this.#toldAt.set(key, this.#told);
      this.#set(key, document);
    });
    try {
      await this.#list(store);
    } catch (error) {
      await watch.stop();
      throw error;
    }
    const old = this.#watch;
    this.#watch = watch;
    await old?.stop();
    if (this.#state === "stopped") await Promise.all([watch.stop(), this.#ear?.stop()]);
  }

  async #list(store: DocumentStore): Promise<void> {
    const before = this.#told;
    const documents = new Map((await store.list()).map((document) => [document.key, document]));
    for (const queue of new Set([...documents.keys(), ...this.#controls.keys()]))
      if ((this.#toldAt.get(queue) ?? 0) <= before) this.#set(queue, documents.get(queue));
  }

  #set(queue: string, document: Document | undefined): void {
    if (document !== undefined) this.#revisions.set(queue, document.revision);
    const { controls, problems } = readControls(document?.value);
    if (problems.length > 0 && this.#reported.get(queue) !== document?.revision) {
      this.#reported.set(queue, document?.revision ?? 0);
      this.#host.log.warn(
        { queue, problems },
        "controls of a queue that can't be used are ignored",
      );
    }
    if (JSON.stringify(controls) === JSON.stringify(this.of(queue))) return;
    if (Object.keys(controls).length === 0) this.#controls.delete(queue);
    else this.#controls.set(queue, controls);
    this.#host.log.info({ queue, controls }, "the controls of a queue have changed");
    for (const listener of this.#listeners.get(queue) ?? []) listener(controls);
  }
}
