import { fail, type Finding, ok } from "./finding.ts";

/** What a node says of one of its queues; whatever it is that stands there. */
interface QueueSaid {
  readonly queue?: unknown;
  readonly stuck?: unknown;
  readonly stuckBy?: unknown;
}

/** The jobs that nodes say they can't settle. Pure. */
export function judgeSettlements(
  nodes: readonly { readonly name: string; readonly report: unknown }[],
): readonly Finding[] {
  const stuck = nodes.flatMap(({ name, report }) =>
    queuesOf(report)
      .filter((said) => typeof said.stuck === "number" && said.stuck > 0)
      .map((said) => finding(name, said)),
  );
  return stuck.length > 0
    ? stuck
    : [ok("settlements", "no node says that it can't settle its jobs")];
}

function queuesOf(report: unknown): readonly QueueSaid[] {
  if (typeof report !== "object" || report === null || !("queues" in report)) return [];
  return Array.isArray(report.queues)
    ? report.queues.filter((said) => typeof said === "object" && said !== null)
    : [];
}

function finding(node: string, { queue, stuck, stuckBy }: QueueSaid): Finding {
  return fail(
    `settlements ${String(queue)}`,
    `node ${node} can't settle ${String(stuck)} jobs of the queue ${String(queue)}: ${String(stuckBy)}`,
    "Mend what the reason says: room, a permission, a stream. Nothing is lost meanwhile. See docs/operations.md.",
  );
}
