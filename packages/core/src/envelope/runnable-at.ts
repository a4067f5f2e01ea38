import type { Envelope } from "./envelope.ts";

type Times = Pick<Envelope, "createdAt" | "notBefore" | "reservedAt" | "runnableAt">;

/**
 * When the attempt now due could have started, epoch milliseconds. What a limit keeps a job waiting
 * for is waiting, too: a place that a rate keeps is no start time of the job's own.
 */
export function runnableAt({
  createdAt,
  notBefore = 0,
  reservedAt,
  runnableAt: at,
}: Times): number {
  const since = at ?? createdAt;
  return reservedAt === undefined ? Math.max(since, notBefore) : since;
}
