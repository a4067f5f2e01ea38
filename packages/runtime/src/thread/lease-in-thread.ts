import type { Lease, ThreadLease } from "@millrace/core";

interface LeaseModule {
  readonly isHeld: (state: unknown) => boolean;
}

/**
 * The lease of an attempt as its thread sees it. After a freeze the thread may run before the node
 * has heard that the lease is gone, so it looks for itself. Where the broker's leases can't be seen
 * from a thread, the node's word is all there is.
 */
export class LeaseInThread implements Pick<Lease, "isHeld"> {
  #look: (() => boolean) | undefined;

  /** Before the handler is called. */
  async load(lease: ThreadLease | undefined): Promise<void> {
    if (lease === undefined) return;
    const { isHeld } = (await import(lease.module)) as LeaseModule;
    this.#look = () => isHeld(lease.state);
  }

  isHeld(): boolean {
    return this.#look?.() ?? true;
  }
}
