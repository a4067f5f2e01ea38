import { recordError, type Schedule, type Timer } from "@millrace/core";
import { noteSeen } from "./put-schedules.ts";
import type { SchedulerHost } from "./scheduler-host.ts";

const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 60_000;

/**
 * Notes that this node has the schedules in its code, and tries again until that is noted, by it or
 * by another node: whoever cleans up goes by it, and a schedule that looks as if no node had it
 * would be removed.
 */
export class SeenNote {
  readonly #host: SchedulerHost;
  readonly #schedules: readonly Schedule[];
  #timer: Timer | undefined;
  #retryMs = FIRST_RETRY_MS;
  #trying: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(host: SchedulerHost, schedules: readonly Schedule[]) {
    this.#host = host;
    this.#schedules = schedules;
  }

  /** Never rejects, and keeps nobody waiting. */
  begin(): void {
    this.#trying = this.#try();
  }

  /** Idempotent. Waits for a try that is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#trying;
  }

  async #try(): Promise<void> {
    const { broker, clock, log, node } = this.#host;
    try {
      await noteSeen(broker, this.#schedules, node, clock.now());
    } catch (error) {
      log.debug(
        { error: recordError(error) },
        "it was not noted that this node has schedules; trying again",
      );
      if (this.#stopped) return;
      this.#timer = clock.setTimer(this.#retryMs, () => this.begin());
      this.#retryMs = Math.min(2 * this.#retryMs, LONGEST_RETRY_MS);
    }
  }
}
