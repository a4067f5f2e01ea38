/** What limits hold jobs back, as it stands in JSON. */
export interface LimitsPageView {
  readonly queues: readonly QueueLimitsView[];
  /** Those with the most jobs first. */
  readonly gates: readonly GateView[];
  readonly locks: readonly LockView[];
  /** Locks that are not listed. */
  readonly moreLocks: number;
}

export interface QueueLimitsView extends LimitsView {
  readonly queue: string;
  /** Keys that hold permits now. */
  readonly keys: number;
  readonly size?: { readonly maxJobs?: number; readonly jobs: number };
}

/** Where jobs are blocked. */
export interface GateView {
  readonly queue: string;
  readonly gate: string;
  readonly jobs: number;
  readonly next?: { readonly id: string; readonly name: string; readonly since: number };
  readonly holders: readonly GateHolderView[];
}

export interface GateHolderView {
  readonly holder: string;
  /** Since when it holds the first of what it holds. Absent of a node of an older version. */
  readonly since?: number;
}

export interface LockView {
  readonly name: string;
  readonly holder: string;
  /** Absent of a node of an older version. */
  readonly since?: number;
  readonly leaseMs: number;
  readonly leftMs: number;
  /** Who waits for it in a process. Absent where that may not be heard. */
  readonly waiting?: LockWaitersView;
}

export interface LockWaitersView {
  readonly count: number;
  /** Those who have waited longest, the longest first. */
  readonly first: readonly LockWaiterView[];
}

export interface LockWaiterView {
  readonly holder: string;
  readonly since: number;
}

export interface LimitsView {
  readonly concurrency?: number;
  readonly holders: readonly HolderView[];
  readonly rate?: { readonly limit: number; readonly perMs: number; readonly available: number };
  readonly perKey?: {
    readonly concurrency?: number;
    readonly rate?: { readonly limit: number; readonly perMs: number };
  };
}

export interface HolderView {
  readonly holder: string;
  readonly count: number;
  /** Absent of a node of an older version. */
  readonly since?: number;
}
