import {
  type Broker,
  type Clock,
  type Envelope,
  type JobLogPage,
  type Logger,
  recordError,
} from "@millrace/core";
import { AttemptLog, type AttemptLogHost } from "./attempt-log.ts";
import type { JobLogConfig } from "./job-log-options.ts";
import { keptLogger } from "./kept-logger.ts";

/** Lines of all jobs of a node that are not written yet; more are counted and left out. */
const MOST_WAITING_BYTES = 8 * 2 ** 20;
const TROUBLE_EVERY_MS = 60_000;

export interface JobLogsOptions {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly node: string;
  readonly log: Logger;
  readonly config: JobLogConfig;
}

/** Keeps what a node's handlers log. */
export class JobLogs implements AttemptLogHost {
  readonly config: JobLogConfig;
  readonly clock: Clock;
  readonly node: string;
  readonly #broker: Broker;
  readonly #log: Logger;
  #waiting = 0;
  #troubleSaidAt = Number.NEGATIVE_INFINITY;

  constructor({ broker, clock, node, log, config }: JobLogsOptions) {
    this.config = config;
    this.clock = clock;
    this.node = node;
    this.#broker = broker;
    this.#log = log;
  }

  /** The same logger, whose lines are kept as well, until the attempt is over. */
  keep(
    log: Logger,
    envelope: Envelope,
    token: number,
  ): { readonly log: Logger; readonly kept: AttemptLog } {
    const kept = new AttemptLog(this, envelope, token);
    return { log: keptLogger(log, kept, this.config.level), kept };
  }

  takeRoom(bytes: number): boolean {
    if (this.#waiting + bytes > MOST_WAITING_BYTES) return false;
    this.#waiting += bytes;
    return true;
  }

  freeRoom(bytes: number): void {
    this.#waiting -= bytes;
  }

  async append(job: Envelope, page: JobLogPage): Promise<boolean> {
    try {
      await this.#broker.jobLogs.append({ queue: job.queue, id: job.id }, page);
      return true;
    } catch (error) {
      this.#sayTrouble(job, page, error);
      return false;
    }
  }

  #sayTrouble(job: Envelope, page: JobLogPage, error: unknown): void {
    const now = this.clock.monotonic();
    if (now - this.#troubleSaidAt < TROUBLE_EVERY_MS) return;
    this.#troubleSaidAt = now;
    this.#log.warn(
      { job: job.id, queue: job.queue, lines: page.lines.length, error: recordError(error) },
      "lines that a handler logged could not be kept; the job is not touched by it",
    );
  }
}
