import type { AuditOutcome } from "@millrace/core";

export type FleetFilter = Readonly<Record<string, string | number | boolean | readonly string[]>>;

export interface FleetAuditRecord {
  readonly id: string;
  readonly at: number;
  readonly action: string;
  readonly filter: FleetFilter;
  readonly by: string;
  readonly reason?: string;
  readonly outcome: AuditOutcome;
}

export interface FleetIntent {
  readonly action: string;
  readonly filter: FleetFilter;
  readonly by: string;
  readonly reason?: string;
}

export interface FleetAudit {
  list(query: { readonly limit: number }): Promise<readonly FleetAuditRecord[]>;
  perform<Result>(
    intent: FleetIntent,
    act: () => Promise<Result>,
    tally?: (result: Result) => { readonly count: number; readonly failed?: number },
  ): Promise<Result>;
}
