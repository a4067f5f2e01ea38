import type { BatchStatus } from "../../client/jobs/batches.ts";
import type { ChainMember } from "../../client/jobs/job-chain.ts";
import { clean } from "./clean.ts";
import { shownRef } from "./shown-ref.ts";
import { traceWords } from "./trace.ts";

/** The chain and the batch of a job, for `jobs get`. */
export function flowFacts(
  {
    chain,
    batchStatus,
    traceId,
  }: {
    readonly chain?: readonly ChainMember[];
    readonly batchStatus?: BatchStatus;
    readonly traceId?: string;
  },
  queue: string,
  traceUrl: string | undefined,
): readonly (readonly [string, string])[] {
  // Most of a chain is in the trace of its first job, which is said once.
  const trace = (member: ChainMember): string =>
    member.traceId === traceId ? "" : traceWords(member.traceId, traceUrl);
  return [
    ...(chain === undefined ? [] : [["chain", chainText(chain, queue, trace)] as const]),
    ...(batchStatus === undefined ? [] : [["batch", batchText(batchStatus, queue)] as const]),
  ];
}

function chainText(
  chain: readonly ChainMember[],
  queue: string,
  trace: (member: ChainMember) => string,
): string {
  const more = chain.at(-1)?.more ?? 0;
  const named = chain.map(
    (member) => `${clean(`${shownRef(member, queue)}: ${member.state}`)}${trace(member)}`,
  );
  return [...named, ...(more === 0 ? [] : [`and ${more} more`])].join(" → ");
}

const ENDS = ["succeeded", "dead", "expired", "cancelled", "refused"] as const;

function batchText(batch: BatchStatus, queue: string): string {
  const { id, total, left, callback } = batch;
  const counts = ENDS.filter((end) => batch[end] > 0).map((end) => `${batch[end]} ${end}`);
  const how = counts.length === 0 ? "" : ` (${counts.join(", ")})`;
  return `${id}: ${total - left} of ${total} ended${how}, then ${shownRef(callback, queue)}`;
}
