import type { Timer } from "@millrace/core";
import { machineOf } from "../machine/machine.ts";
import { quietTimer } from "../machine/timers.ts";
import type { ServerAccess } from "../store/server-access.ts";
import type { SkippedJobs } from "./skipped-jobs.ts";

const AGAIN_MS = 5_000;

export interface SkippedLookOptions {
  readonly server: ServerAccess;
  readonly queue: string;
  readonly skipped: SkippedJobs;
  readonly onProblem: (error: unknown, doing: string) => void;
}

/** Looks for a queue's skipped jobs until none can be left of those that were there at first. */
export class SkippedLook {
  readonly #options: SkippedLookOptions;
  #timer: Timer | undefined;
  #isLooking = false;
  #hasFailed = false;
  #phase: "open" | "stopped" = "open";

  constructor(options: SkippedLookOptions) {
    this.#options = options;
  }

  begin(): void {
    this.#timer?.cancel();
    void this.#look(undefined);
  }

  stop(): void {
    this.#phase = "stopped";
    this.#timer?.cancel();
  }

  async #look(until: number | undefined): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const { server, queue, skipped, onProblem } = this.#options;
    let next = until;
    let isDone = false;
    try {
      next = await skipped.bringBack(queue, until);
      isDone = next === undefined;
      this.#hasFailed = false;
    } catch (error) {
      if (!this.#hasFailed && this.#phase === "open")
        onProblem(error, `bring back skipped jobs of the queue ${queue}`);
      this.#hasFailed = true;
    }
    this.#isLooking = false;
    if (isDone || this.#phase === "stopped") return;
    this.#timer = quietTimer(machineOf(server.nc).clock, AGAIN_MS, () => void this.#look(next));
  }
}
