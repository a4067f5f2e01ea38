/** The one argument of the fleet's program, as JSON. */
export interface FleetNode {
  readonly servers: string;
  readonly namespace: string;
  readonly name: string;
  /** A directory. */
  readonly ledger: string;
  readonly leaseMs: number;
  readonly slots: number;
}
