import type { Envelope, StoredClaim, UniqueKey } from "@millrace/core";

/** A job's key, and the claim that its end frees; undefined where it holds none. */
export interface UniqueHold {
  readonly key: UniqueKey;
  readonly frees: StoredClaim | undefined;
}

/**
 * What a node knows of the claims of the jobs in its hands, so that a settlement need not read what
 * the gate has read. Keyed by the envelope of one execution, and gone with it.
 */
export class UniqueHolds {
  readonly #holds = new WeakMap<Envelope, UniqueHold>();

  note(envelope: Envelope, hold: UniqueHold): void {
    this.#holds.set(envelope, hold);
  }

  /** @returns undefined where the job did not come to the gate */
  of(envelope: Envelope): UniqueHold | undefined {
    return this.#holds.get(envelope);
  }
}
