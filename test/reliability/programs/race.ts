import type { RuleName } from "../../unique/index-job.ts";

/** What a process of racing producers is told. */
export interface RaceConfig {
  readonly name: string;
  readonly servers: string;
  readonly namespace: string;
  /** The directory of the ledger. */
  readonly ledger: string;
  readonly rule: RuleName;
  readonly producers: number;
  readonly pauseMs: number;
}
