import type { ProgressReport } from "../../job/progress-report.ts";
import type { Stoppable } from "../stoppable.ts";

interface JobRef {
  readonly id: string;
  readonly queue: string;
}

/**
 * The latest report of each running job. Worth little and kept as such: written beside the job and
 * never in its way, forgotten when the job has ended, or a day after the last report where nobody
 * was left to forget it.
 */
export interface ProgressStore {
  /** The latest report takes the place of the one before. */
  put(job: JobRef, report: ProgressReport): Promise<void>;
  latest(job: JobRef): Promise<ProgressReport | undefined>;
  /** Forgetting what is not there is fine. */
  remove(job: JobRef): Promise<void>;
  /**
   * Calls for each report from now on; after an outage once more for some, not always the newest
   * last. Follow, then read: then nothing is missed.
   */
  follow(job: JobRef, listener: (report: ProgressReport) => void): Promise<Stoppable>;
}
