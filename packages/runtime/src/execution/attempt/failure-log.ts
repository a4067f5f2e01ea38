import {
  type Clock,
  type Envelope,
  type Logger,
  type Outcome,
  type RecordedError,
  type Settlement,
  silentLogger,
  type Timer,
} from "@millrace/core";

/** Failed attempts of one job definition are told together, once in so long. */
const EVERY_MS = 60_000;

/** What failed since the last line. */
interface Sum {
  failed: number;
  timedOut: number;
  lastError: RecordedError;
  readonly timer: Timer;
}

/**
 * What a node's log says of jobs that go wrong: a line for each dead letter, and for attempts that
 * are made again a line at the first, then one a minute that counts them. A thousand failures a
 * second must not be a thousand lines.
 */
export class FailureLog {
  readonly #log: Logger;
  readonly #clock: Pick<Clock, "setTimer">;
  /** By queue and job name: only names that have a handler fail. */
  readonly #sums = new Map<string, Sum>();

  constructor(log: Logger, clock: Pick<Clock, "setTimer">) {
    this.#log = log;
    this.#clock = clock;
  }

  /** Called for every delivery that was settled otherwise than as a success. */
  settled(envelope: Envelope, outcome: Outcome, settlement: Settlement): void {
    const { state } = settlement;
    // Then there is nobody to tell, and no timer may keep anything waiting.
    if (this.#log === silentLogger) return;
    if (state === "dead" || state === "expired") this.#tellDead(envelope, outcome, settlement);
    else if (state === "requeued" && (outcome.kind === "failed" || outcome.kind === "timed-out"))
      this.#count(envelope, outcome);
  }

  /** Tells what was counted and not told; no timer stays behind. */
  close(): void {
    for (const [key, sum] of this.#sums) {
      sum.timer.cancel();
      this.#tellSum(key, sum);
    }
    this.#sums.clear();
  }

  #tellDead(
    { id, name, queue }: Envelope,
    outcome: Outcome,
    { state, reason, steps }: Settlement,
  ): void {
    const record = steps.find((step) => step.do === "record")?.record;
    this.#log.warn(
      {
        job: id,
        name,
        queue,
        attempts: record?.attempts,
        reason: reason ?? state,
        ...("error" in outcome ? { error: outcome.error } : {}),
      },
      "a job is dead; its letter is among the dead letters",
    );
  }

  #count({ id, name, queue, attempts }: Envelope, outcome: FailedOutcome): void {
    const key = `${queue} ${name}`;
    const sum = this.#sums.get(key);
    if (sum !== undefined) {
      if (outcome.kind === "failed") sum.failed += 1;
      else sum.timedOut += 1;
      sum.lastError = outcome.error;
      return;
    }
    this.#log.warn(
      { job: id, name, queue, attempt: attempts + 1, error: outcome.error },
      "an attempt failed; it is made again",
    );
    this.#wait(key, outcome.error);
  }

  #wait(key: string, lastError: RecordedError): void {
    const timer = this.#clock.setTimer(EVERY_MS, () => this.#minuteOver(key));
    this.#sums.set(key, { failed: 0, timedOut: 0, lastError, timer });
  }

  /** After a minute without a failure the next one is told at once again. */
  #minuteOver(key: string): void {
    const sum = this.#sums.get(key);
    this.#sums.delete(key);
    if (sum === undefined || sum.failed + sum.timedOut === 0) return;
    this.#tellSum(key, sum);
    this.#wait(key, sum.lastError);
  }

  #tellSum(key: string, { failed, timedOut, lastError }: Sum): void {
    if (failed + timedOut === 0) return;
    const [queue, name] = key.split(" ");
    this.#log.warn(
      { name, queue, failed, timedOut, withinMs: EVERY_MS, error: lastError },
      "more attempts failed; they are made again",
    );
  }
}

type FailedOutcome = Extract<Outcome, { readonly kind: "failed" | "timed-out" }>;
