import type { MachineDocument } from "@millrace/core";

/** What a world with machines leaves to be judged. */
export interface MachineEvidence {
  /** Each document of each machine in the order in which it was stored. */
  readonly documents: Map<string, MachineDocument[]>;
  /** Runs of jobs, by the job's id. */
  readonly runs: { readonly job: string; readonly id: string; readonly order: string }[];
  /** Message ids of jobs, as they were stored in queues. */
  readonly stored: string[];
  /** Ends of jobs on record. */
  readonly ends: Map<string, string>;
  /** Orders whose own action was done. */
  readonly told: Set<string>;
  /** Confirmed pings by order, each customer's own in the order in which it sent them. */
  readonly sent: Map<string, number[][]>;
}

export function noEvidence(): MachineEvidence {
  return {
    ...{ documents: new Map(), runs: [], stored: [], ends: new Map() },
    ...{ told: new Set(), sent: new Map() },
  };
}
