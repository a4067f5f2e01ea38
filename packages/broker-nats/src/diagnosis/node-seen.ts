/** What a node said last of itself. */
export interface NodeSeen {
  readonly name: string;
  /** Whatever stands there: anybody may have written it. */
  readonly report: unknown;
  /** How long ago, by the server's clock. */
  readonly silentMs: number;
  /** When it said so, epoch milliseconds by the server's clock. */
  readonly seenAt: number;
}

/** A node says that it is there every ten seconds, and every 35 s at the latest. */
export const SILENT_MS = 35_000;

/** The queues that a node says it serves. */
export function servedBy(node: NodeSeen): readonly string[] {
  return queuesOf(node).map(({ queue }) => queue);
}

/** What a node had in hand when it was heard of last; empty where it had nothing. */
export function heldBy(node: NodeSeen): readonly { queue: string; used: number }[] {
  return queuesOf(node).flatMap(({ queue, used }) =>
    typeof used === "number" && used > 0 ? [{ queue, used }] : [],
  );
}

function queuesOf({ report }: NodeSeen): readonly { queue: string; used: unknown }[] {
  const queues = (report as { readonly queues?: unknown } | null | undefined)?.queues;
  if (!Array.isArray(queues)) return [];
  return queues.flatMap((said: unknown) => {
    const { queue, used } = (said ?? {}) as { readonly queue?: unknown; readonly used?: unknown };
    return typeof queue === "string" ? [{ queue, used }] : [];
  });
}
