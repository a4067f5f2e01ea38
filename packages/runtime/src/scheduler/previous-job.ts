import {
  type PreviousState,
  recordError,
  type ScheduleState,
  type Stoppable,
} from "@millrace/core";
import { reportFailed } from "./report-ticks.ts";
import type { SchedulerHost } from "./scheduler-host.ts";
import { whereabouts } from "./whereabouts.ts";

type TickedJob = ScheduleState["job"];

/** What a ticker knows of the job of its schedule's last tick. */
export class PreviousJob {
  readonly #host: SchedulerHost;
  readonly #schedule: string;
  readonly #onEnd: () => void;
  #known: { readonly id: string; readonly is: PreviousState } | undefined;
  /** Tells of the end of the job that a queued tick waits for. */
  #following: { readonly id: string; readonly end: Promise<Stoppable> } | undefined;

  /** @param onEnd the job that is followed has ended, or may have */
  constructor(host: SchedulerHost, schedule: string, onEnd: () => void) {
    this.#host = host;
    this.#schedule = schedule;
    this.#onEnd = onEnd;
  }

  is(job: TickedJob): PreviousState {
    if (job === undefined) return "ended";
    return this.#known?.id === job.id ? this.#known.is : "unknown";
  }

  async look(job: TickedJob): Promise<void> {
    if (job === undefined) return;
    const found = await whereabouts(this.#host.broker, job);
    this.#known = { id: job.id, is: found.is === "going" ? "going" : "ended" };
  }

  /** What was seen to go on may have ended. */
  lookAgain(): void {
    if (this.#known?.is === "going") this.#known = undefined;
  }

  follow(job: TickedJob): void {
    if (job === undefined || this.#following?.id === job.id) return;
    this.unfollow();
    const end = this.#host.broker.history.follow(job, ({ state }) => {
      if (state !== "requeued") this.#onEnd();
    });
    this.#following = { id: job.id, end };
    // What ended before the following began is found by looking once more.
    end.then(this.#onEnd, (error: unknown) => {
      // Another job may be followed by now.
      if (this.#following?.end === end) this.#following = undefined;
      reportFailed(this.#host, this.#schedule, error);
    });
  }

  unfollow(): void {
    const following = this.#following;
    this.#following = undefined;
    following?.end
      .then((subscription) => subscription.stop())
      .catch((error: unknown) => {
        this.#host.log.debug(
          { error: recordError(error) },
          "following a job of a schedule did not end well",
        );
      });
  }
}
