import type { Children, EnqueuedJob, JobRef } from "@millrace/core";

/** So many children are named in a record. */
const NAMED = 100;

/**
 * What one attempt has enqueued. A job that holds another's unique key was enqueued by that other's
 * parent.
 */
export class EnqueuedChildren {
  readonly #named: JobRef[] = [];
  #count = 0;

  add({ id, queue, conflict }: EnqueuedJob): void {
    if (conflict?.kind === "kept") return;
    this.#count += 1;
    if (this.#named.length < NAMED) this.#named.push({ id, queue });
  }

  get children(): Children | undefined {
    return this.#count === 0 ? undefined : { count: this.#count, jobs: this.#named };
  }
}
