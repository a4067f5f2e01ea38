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
export function servedBy({ report }: NodeSeen): readonly string[] {
  if (typeof report !== "object" || report === null || !("queues" in report)) return [];
  if (!Array.isArray(report.queues)) return [];
  return report.queues.flatMap((said: unknown) =>
    typeof said === "object" && said !== null && "queue" in said && typeof said.queue === "string"
      ? [said.queue]
      : [],
  );
}
