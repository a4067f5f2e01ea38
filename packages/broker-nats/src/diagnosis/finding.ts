/** One thing that was looked at. `skip`: it can't be seen from here, and the message says why. */
export interface Finding {
  /** What was looked at: `server-version`, `queue mail`. Stable, for scripts. */
  readonly check: string;
  readonly status: "ok" | "warn" | "fail" | "skip";
  /** What was seen. */
  readonly message: string;
  /** What to do about it. */
  readonly advice?: string;
}

export function ok(check: string, message: string): Finding {
  return { check, status: "ok", message };
}

export function warn(check: string, message: string, advice: string): Finding {
  return { check, status: "warn", message, advice };
}

export function fail(check: string, message: string, advice: string): Finding {
  return { check, status: "fail", message, advice };
}

export function skip(check: string, message: string): Finding {
  return { check, status: "skip", message };
}
