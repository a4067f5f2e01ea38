import type { Delivery, Envelope } from "@millrace/core";
import type { RecentEnds } from "../recall/recent-ends.ts";

/** Whether another run of the job may have been, or be under way. */
export function mayBeRepeated(
  { generation, sharedSince }: Envelope,
  { deliveryCount, message }: Delivery,
  recentEnds: RecentEnds,
): boolean {
  return (
    generation > 0 ||
    deliveryCount > 1 ||
    sharedSince !== undefined ||
    recentEnds.reachesBack(message)
  );
}
