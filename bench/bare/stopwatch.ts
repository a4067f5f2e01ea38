/** Messages handled and how long it took, on the monotonic clock. */
export interface Run {
  readonly messages: number;
  readonly elapsedMs: number;
}

export function perSecond(run: Run): number {
  return Math.round((run.messages / run.elapsedMs) * 1_000);
}

export async function timed(messages: number, work: () => Promise<void>): Promise<Run> {
  const start = performance.now();
  await work();
  return { messages, elapsedMs: performance.now() - start };
}
