/** Where a relay stands still when it is asked to. */
export const RELAY_POINTS = [
  "before the mark is read",
  "before the claim",
  "after the claim",
  "before the publish",
  "after the publish",
  "after the finish",
] as const;

/** Where a node stands still when it is asked to. */
export const NODE_POINTS = [
  "before the transaction",
  "after the record",
  "after the effect",
  "after the enqueue",
  "before the commit",
  "after the commit",
  "before it is settled",
  "after it is settled",
] as const;

export type RelayPoint = (typeof RELAY_POINTS)[number];
export type NodePoint = (typeof NODE_POINTS)[number];
export type Point = RelayPoint | NodePoint;

/** Done, and whoever did it has not heard so yet: the answer can be lost. */
export const ANSWERED: ReadonlySet<Point> = new Set([
  "after the claim",
  "after the publish",
  "after the finish",
  "after the commit",
]);

/** From the parent: stand still at this point, the next time you come there. */
export interface Stand {
  readonly standAt: Point | undefined;
}

/** From the parent: go on; where the answer is lost, as if it had never come. */
export interface GoOn {
  readonly goOn: "as it was" | "without the answer";
}

/** To the parent: it stands still there. */
export interface Standing {
  readonly at: Point;
}

export function isStanding(message: unknown): message is Standing {
  return typeof message === "object" && message !== null && "at" in message;
}
