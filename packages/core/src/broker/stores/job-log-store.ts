import type { JobRef } from "../../envelope/envelope.ts";
import type { JobLogPage } from "../../log/job-log.ts";

export interface StoredLogPage extends JobLogPage {
  /** Grows from page to page of a job. */
  readonly position: number;
}

/**
 * The lines that handlers logged. Kept beside the jobs and never in their way: bounded in age and
 * bytes, the oldest go first, and a page that can't be stored is lost. They outlive their job.
 */
export interface JobLogStore {
  /** Stores a page, confirmed. A copy of one that is there already stores nothing. */
  append(job: JobRef, page: JobLogPage): Promise<void>;
  /**
   * What is kept of a job, of all enqueues of its id, in the order in which it was written.
   *
   * @param options.after only pages behind this position. Default 0: all
   * @param options.limit most pages. Default 100
   */
  read(
    job: JobRef,
    options?: { readonly after?: number; readonly limit?: number },
  ): Promise<readonly StoredLogPage[]>;
}
