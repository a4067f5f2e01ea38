import type { JobRef } from "../../envelope/envelope.ts";
import type { Lease } from "../work.ts";

/** A job whose steps are recorded: an id that is used again is another run. */
export interface RunRef extends JobRef {
  /** As its envelope has it, in every generation and life. */
  readonly createdAt: number;
}

/** A step of a run: by its name, and which of the steps of that name it is, from 0. */
export interface StepRef {
  readonly name: string;
  readonly n: number;
}

/** What is recorded of a step, as it was written. */
export interface StoredStep {
  readonly data: Uint8Array;
  /** Of this writing: whoever replaces it names it. */
  readonly revision: number;
}

export interface StepReadOptions {
  /**
   * Nobody looks again, and what is not found is run, or not told: what was confirmed right before
   * a cluster chose another leader has to be there too. Where that takes a write, it is made.
   * Default false.
   */
  readonly once?: boolean;
}

export interface StepWriteOptions {
  /** The revision that is replaced. Default 0: nothing is recorded of the step yet. */
  readonly expected?: number;
  /** Of the delivery that runs the step: once it is lost, nothing is sent any more. */
  readonly lease?: Lease;
}

/**
 * What the steps of jobs came to, until their jobs have ended. Each step has one record, and the
 * first one counts. So two holders of one job, one of which does not know yet that it has lost it,
 * never read different records.
 */
export interface JournalStore {
  /** The largest record that the server takes at present, bytes. */
  readonly maxBytes: number;
  /** Each recorded step of a run once, in no promised order. Whatever was confirmed is there. */
  read(run: RunRef, options?: StepReadOptions): Promise<readonly StoredStep[]>;
  /**
   * Records a step, confirmed.
   *
   * @returns what is on record then: this, or what was written before it by somebody else, or by an
   *   earlier copy of this write
   * @throws MillraceError `conflict` where the revision that was to be replaced is gone,
   *   `publish-timeout`, `lease-lost`, `payload-too-large` …
   */
  write(
    run: RunRef,
    step: StepRef,
    data: Uint8Array,
    options?: StepWriteOptions,
  ): Promise<StoredStep>;
  /** Forgets a run. Idempotent. */
  remove(run: RunRef): Promise<void>;
}
