/**
 * The document bucket in which operators say what they want of a node; the key is the node's name.
 * Erased by the node that stops.
 */
export const NODE_ORDERS_BUCKET = "node-orders";

/** `quiet`: takes no new job, and lets what runs end. */
export type DesiredState = "running" | "quiet" | "stopped";

export interface NodeOrder {
  readonly desired: DesiredState;
  /**
   * The life of the node that is meant. A stop is for that one alone; a quiet is for all that have
   * the name, until it is taken back.
   */
  readonly instance: string;
  /** Epoch milliseconds, by the server's clock. */
  readonly at: number;
  readonly by: string;
  readonly reason?: string;
}

/** @returns undefined where nothing is ordered, or nothing that is understood */
export function readNodeOrder(value: unknown): NodeOrder | undefined {
  const order = value as Partial<NodeOrder> | null | undefined;
  if (typeof order !== "object" || order === null) return undefined;
  const { desired, instance, at, by, reason } = order;
  if (desired !== "running" && desired !== "quiet" && desired !== "stopped") return undefined;
  if (typeof instance !== "string" || typeof at !== "number" || typeof by !== "string")
    return undefined;
  return { desired, instance, at, by, ...(typeof reason === "string" ? { reason } : {}) };
}

/** What an order means for one life of a node. Pure. */
export function desiredOf(order: NodeOrder | undefined, instance: string): DesiredState {
  if (order === undefined) return "running";
  return order.desired === "stopped" && order.instance !== instance ? "running" : order.desired;
}
