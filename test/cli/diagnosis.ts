/** What `millrace doctor --json` prints. */
export interface Diagnosis {
  readonly healthy: boolean;
  readonly findings: readonly {
    readonly check: string;
    readonly status: string;
    readonly message: string;
    readonly advice?: string;
  }[];
}
