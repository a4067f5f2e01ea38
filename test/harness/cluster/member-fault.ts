/**
 * What a member of a cluster went through, until the cluster was whole again and what it did
 * meanwhile was over, on the clock of the tests' ledgers.
 */
export interface MemberFault {
  readonly member: string;
  readonly fromMs: number;
  readonly untilMs: number;
}
