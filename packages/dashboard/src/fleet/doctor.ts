/** One thing that was looked at. `skip`: it can't be seen from here, and the message says why. */
export interface DashboardFinding {
  /** What was looked at: `server-version`, `queue mail`. */
  readonly check: string;
  readonly status: "ok" | "warn" | "fail" | "skip";
  readonly message: string;
  /** What to do about it. */
  readonly advice?: string;
}

/** Looks at the server and at the namespace, as `millrace doctor` does; changes nothing. */
export type DashboardDoctor = () => Promise<readonly DashboardFinding[]>;
