import type { Envelope, StoredClaim } from "@millrace/core";

/**
 * What a node knows of the claims of the jobs in its hands, so that a settlement need not read what the gate has read. Keyed by the envelope of one
 * execution, and gone with it.
 */
export class UniqueHolds {
  readonly #holds = new WeakMap<Envelope, { readonly frees: StoredClaim | undefined }>();

  /** @param frees the claim that the job's end frees; undefined where it holds none */
  note(envelope: Envelope, frees: StoredClaim | undefined): void {
    this.#holds.set(envelope, { frees });
  }

  /** @returns undefined where the job did not come to the gate */
  of(envelope: Envelope): { readonly frees: StoredClaim | undefined } | undefined {
    return this.#holds.get(envelope);
  }
}
