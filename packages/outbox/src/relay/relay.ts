import {
  type Broker,
  type Clock,
  type Logger,
  type MetricsCollector,
  noMetrics,
  optionNames,
  recordError,
  refuseUnknown,
  requireCount,
  requireMethod,
  type Stoppable,
  silentLogger,
  systemClock,
  unfailingLogger,
} from "@millrace/core";
import type { OutboxStore } from "../store/outbox-store.ts";
import { Alarm } from "./alarm.ts";
import { batchSweep } from "./batch-sweep.ts";
import { doneSweep } from "./done-sweep.ts";
import { Pace, UNWOKEN, WOKEN } from "./pace.ts";
import { QueueRelay } from "./queue-relay.ts";
import { type DatabaseState, type RelayHealth, relayHealth } from "./relay-health.ts";
import { Sweeps } from "./sweeps.ts";
import { tellStatus } from "./tell-status.ts";

/** From which outbox a relay publishes, where to, and how often it looks. */
export interface RelayOptions {
  /** Where the jobs go: `millrace.broker` of a client. */
  readonly broker: Broker;
  /** The outbox. The relay closes it when it stops, and where it can't start. */
  readonly store: OutboxStore;
  readonly clock?: Clock;
  /** Default: nothing is logged. */
  readonly logger?: Logger;
  /** Told of what is published and of what waits. Default: none. See `docs/metrics.md`. */
  readonly metrics?: MetricsCollector;
  /** How often it looks for rows that nobody told it of, milliseconds. Default 1,000. */
  readonly pollMs?: number;
  /**
   * How long it is remembered that the effects of a job were committed of which nothing is known
   * any more, milliseconds. Others are remembered until the job can't come again. Default 30 days.
   */
  readonly keepDoneMs?: number;
  /** Rows that are published together. Default 500; servers take 1,000 messages as one. */
  readonly batchRows?: number;
}

const NAMES = optionNames<RelayOptions>({
  ...{ broker: true, store: true, clock: true, logger: true, metrics: true },
  ...{ pollMs: true, keepDoneMs: true, batchRows: true },
});

/** Options that have a default. */
type Settled = "pollMs" | "batchRows" | "keepDoneMs";

/** Publishes what is committed to an outbox. */
export interface Relay extends Stoppable, AsyncDisposable {
  /** Looks for rows now. For writers of the same process. */
  wake(): void;
  /** How it is, for probes. Asks nobody. */
  health(): RelayHealth;
}

const MOST_BATCH_ROWS = 900;
const BATCH_BYTES = 8 * 1024 * 1024;
/** How often it looks while rows come fast. */
const BUSY_POLL_MS = 5;
const KEEP_DONE_MS = 30 * 86_400_000;
/** Less than that would be less than what a retry may wait. */
const LEAST_KEEP_DONE_MS = 3_600_000;
const MOST_KEEP_DONE_MS = 3_650 * 86_400_000;
/** After the database failed, doubled each time up to the most. */
const RETRY_MS = 500;
const MOST_RETRY_MS = 10_000;

/**
 * Starts a relay. Any number may run on one outbox, in any processes: each row is published once.
 *
 * @throws MillraceError `invalid-option`; `outbox-failed` where the package of the database is not
 *   installed. A database or a server that is away is waited for
 * @example
 * await using relay = await startRelay({
 *   broker: millrace.broker,
 *   store: postgresOutbox({ url: process.env.DATABASE_URL }),
 * });
 */
export async function startRelay(options: RelayOptions): Promise<Relay> {
  const store = requireMethod(options.store, "store", "claim");
  const { pollMs = 1_000, batchRows = 500, keepDoneMs = KEEP_DONE_MS } = options;
  try {
    refuseUnknown(options, NAMES, "startRelay()");
    requireMethod(options.broker, "broker", "enqueue");
    requireCount(pollMs, "pollMs", 1, 3_600_000);
    requireCount(batchRows, "batchRows", 1, MOST_BATCH_ROWS);
    requireCount(keepDoneMs, "keepDoneMs", LEAST_KEEP_DONE_MS, MOST_KEEP_DONE_MS);
    const relay = new RunningRelay({ ...options, pollMs, batchRows, keepDoneMs });
    await relay.begin();
    return relay;
  } catch (error) {
    await store.close();
    throw error;
  }
}

/**
 * Goes round all queues until there is nothing to do, then waits to be woken by writers. While rows
 * come fast it looks by itself.
 */
class RunningRelay implements Relay {
  readonly #broker: Broker;
  readonly #store: OutboxStore;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #pollMs: number;
  readonly #sweeps: Sweeps;
  readonly #alarm: Alarm;
  readonly #queues: QueueRelay;
  readonly #metrics: MetricsCollector;
  #untell: (() => void) | undefined;
  #listening: Stoppable | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;
  #hasTables = false;
  #failures = 0;
  #database: DatabaseState = { kind: "unasked" };
  /** When it last got on, `Clock.monotonic()`. */
  #activeAt: number;
  /** As the database was told; undefined where it was not. */
  #idle: boolean | undefined;

  constructor(options: RelayOptions & Required<Pick<RelayOptions, Settled>>) {
    const { broker, store, clock = systemClock, metrics = noMetrics } = options;
    const logger = unfailingLogger(options.logger ?? silentLogger);
    this.#broker = broker;
    this.#store = store;
    this.#clock = clock;
    this.#logger = logger;
    this.#pollMs = options.pollMs;
    const { keepDoneMs } = options;
    this.#sweeps = new Sweeps([
      doneSweep({ broker, store, logger, keepDoneMs }),
      batchSweep({ broker, store, logger }),
    ]);
    this.#alarm = new Alarm(clock);
    this.#activeAt = clock.monotonic();
    const limits = { rows: options.batchRows, bytes: BATCH_BYTES };
    const onLate = (): void => this.#alarm.ring();
    this.#queues = new QueueRelay({ broker, store, clock, logger, metrics, limits, onLate });
    this.#metrics = metrics;
  }

  async begin(): Promise<void> {
    this.#listening = await this.#store.listen?.(() => this.wake());
    this.#untell = tellStatus(this.#store, this.#metrics);
    this.#running = this.#run();
  }

  wake(): void {
    this.#alarm.ring();
  }

  health(): RelayHealth {
    return relayHealth({
      stopped: this.#stopped,
      broker: this.#broker.status,
      database: this.#database,
      silentMs: this.#clock.monotonic() - this.#activeAt,
      pollMs: this.#pollMs,
      waiting: this.#queues.waiting(),
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#alarm.ring();
    this.#untell?.();
    await this.#listening?.stop();
    await this.#running;
    await this.#queues.ended();
    await this.#sweeps.stop();
    await this.#store.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #run(): Promise<void> {
    const pace = new Pace(this.#listening === undefined ? UNWOKEN : WOKEN);
    let wasOverslept = false;
    while (!this.#stopped) {
      try {
        await this.#requireTables();
        const moved = await this.#queues.round(() => this.#isOver());
        const now = this.#gotOn({ kind: "answered" });
        // Also while it is busy: it may never be idle.
        this.#sweeps.next(now);
        this.#failures = 0;
        pace.moved(moved, now);
        // Nobody woke it though there were rows: another relay has told writers not to.
        if (moved > 0 && wasOverslept) this.#idle = undefined;
        wasOverslept = false;
        const idle = !pace.isFast(now);
        // What is committed before writers see that it is idle is found by the look after.
        if ((await this.#become(idle)) || moved > 0) continue;
        const wasRung = await this.#alarm.wait(idle ? this.#pollMs : BUSY_POLL_MS);
        wasOverslept = idle && !wasRung;
      } catch (error) {
        await this.#failed(error);
      }
    }
  }

  /**
   * Nothing is published while tables are an earlier version's. Each round would fail behind what
   * it has published, and wait ever longer before the next.
   */
  async #requireTables(): Promise<void> {
    if (this.#hasTables) return;
    const none = { olderThanMs: 0, after: undefined, limit: 0 };
    await this.#store.done?.(none);
    await this.#store.batches(none);
    this.#hasTables = true;
  }

  /** Asked before each claim. */
  #isOver(): boolean {
    this.#activeAt = this.#clock.monotonic();
    return this.#stopped;
  }

  #gotOn(database: DatabaseState): number {
    this.#database = database;
    return (this.#activeAt = this.#clock.monotonic());
  }

  /** @returns whether writers were told something new */
  async #become(idle: boolean): Promise<boolean> {
    if (this.#idle === idle) return false;
    await this.#store.setIdle(idle);
    this.#idle = idle;
    return true;
  }

  async #failed(error: unknown): Promise<void> {
    this.#failures += 1;
    this.#gotOn({ kind: "failed", reason: error instanceof Error ? error.message : String(error) });
    if (this.#failures === 1)
      this.#logger.warn(
        { error: recordError(error) },
        "the outbox can't be relayed at the moment; trying again",
      );
    this.#idle = undefined;
    const waitMs = Math.min(RETRY_MS * 2 ** (this.#failures - 1), MOST_RETRY_MS);
    if (!this.#stopped) await this.#alarm.wait(waitMs);
  }
}
