/**
 * The mode in which each server of a test is a cluster of three whose leaders are killed meanwhile:
 * `npm test -- --cluster`.
 */
export const VARIABLE = "MILLRACE_TEST_CLUSTER";

/**
 * An election takes 4 to 9 s after a leader's last sign of life; what a killed leader was asked is
 * asked again after it, and the next leader may be killed in its turn.
 */
const ELECTIONS_MS = 60_000;

export const REPLICAS = 3;

/** Undefined outside of the mode; else the generation of the servers. */
export function clusterMode(): "newest" | "2.10" | undefined {
  const wanted = process.env[VARIABLE];
  if (wanted === undefined || wanted === "" || wanted === "0") return undefined;
  return wanted === "2.10" ? "2.10" : "newest";
}

/** The default lease of nodes and locks, which outlasts an election. */
const LASTING_MS = 30_000;

/**
 * A short lease, for what is about something else than its end. In cluster mode a long one, because
 * each election would end a short one. What its holder leaves behind comes back as much later.
 */
export function lasting(leaseMs: number): number {
  return clusterMode() === undefined ? leaseMs : Math.max(leaseMs, LASTING_MS);
}

/** For a test that has nothing to say of a cluster: skips it there, with the reason. */
export function leaveOutOfCluster(context: { skip(note: string): never }, reason: string): void {
  if (clusterMode() !== undefined) context.skip(`not in cluster mode: ${reason}`);
}

/** A deadline in milliseconds, longer where elections may come in between. */
export function patient(deadlineMs: number): number {
  return clusterMode() === undefined ? deadlineMs : deadlineMs + ELECTIONS_MS;
}
