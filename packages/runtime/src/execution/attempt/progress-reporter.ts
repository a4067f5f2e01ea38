import {
  type AttemptTrace,
  checkProgress,
  type Envelope,
  type ProgressReport,
  recordError,
  type Timer,
} from "@millrace/core";
import type { ExecutionHost } from "../execution-host.ts";

/** The least time between two reports of one job that are written. */
const EVERY_MS = 250;

/**
 * Passes on how far one attempt is. The first report is written at once, later ones at most every
 * 250 ms and never two at a time: where the broker is slow, reports are left out, and the handler
 * notices nothing. Only the latest counts; the last is always written.
 */
export class ProgressReporter {
  readonly #host: ExecutionHost;
  readonly #envelope: Envelope;
  readonly #trace: AttemptTrace | undefined;
  /** Not written yet. */
  #latest: ProgressReport | undefined;
  #at = 0;
  #writing: Promise<void> | undefined;
  /** Set for as long as the next report has to wait. */
  #pause: Timer | undefined;
  #over = false;

  constructor(host: ExecutionHost, envelope: Envelope, trace?: AttemptTrace) {
    this.#host = host;
    this.#envelope = envelope;
    this.#trace = trace;
  }

  /** @throws MillraceError `invalid-progress` */
  report(value: unknown, note: unknown): void {
    const said = checkProgress(value, note);
    if (this.#over) return;
    const { clock, node } = this.#host;
    // Readers tell by it which of two reports is newer, whatever becomes of the wall clock.
    this.#at = Math.max(clock.now(), this.#at + 1);
    this.#latest = { ...said, attempt: this.#envelope.attempts + 1, at: this.#at, node };
    this.#next();
  }

  /**
   * Takes no more. The last report is written now, unless another node may be at work on the job
   * already.
   */
  end({ write }: { readonly write: boolean }): void {
    if (this.#over) return;
    this.#over = true;
    this.#pause?.cancel();
    const last = this.#latest;
    if (last === undefined || !write) return;
    // Beside one that may still be on its way: the connection keeps their order.
    this.#writing = Promise.all([this.#writing, this.#write(last)]).then(() => {});
  }

  /** The job has ended. Never rejects. */
  async forget(): Promise<void> {
    await this.#writing;
    await this.#quietly("the progress of a job that has ended stays behind for a day", () =>
      this.#host.broker.progress.remove(this.#envelope),
    );
  }

  #next(): void {
    const report = this.#latest;
    if (
      this.#over ||
      report === undefined ||
      this.#pause !== undefined ||
      this.#writing !== undefined
    )
      return;
    this.#latest = undefined;
    this.#pause = this.#host.clock.setTimer(EVERY_MS, () => {
      this.#pause = undefined;
      this.#next();
    });
    this.#writing = this.#write(report).then(() => {
      if (this.#over) return;
      this.#writing = undefined;
      this.#next();
    });
  }

  #write(report: ProgressReport): Promise<void> {
    this.#trace?.event("progress", { "job.progress": report.value });
    return this.#quietly("a job's progress could not be written", () =>
      this.#host.broker.progress.put(this.#envelope, report),
    );
  }

  async #quietly(trouble: string, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      this.#host.log.debug({ job: this.#envelope.id, error: recordError(error) }, trouble);
    }
  }
}
