import type { Broker } from "@millrace/core";
import { isLost, NODES_BUCKET, readNodeReport } from "./node-report.ts";

/** A life of a node, by which it is known whether the node that began something is still there. */
export interface Holder {
  readonly node: string;
  readonly instance: string;
}

/** One that was heard of by something else that it wrote. */
export interface HolderSeen extends Holder {
  /** When it wrote that, by the server's clock, epoch milliseconds. */
  readonly seenAt: number;
}

/**
 * Whether a node lives, by what it says of itself. `lives`: it has said so since; `gone`: another
 * has its name; `lost`: it has missed its heartbeats, as one that is cut off does too; `silent`: it
 * has not had to say anything since; `unheard`: it has said goodbye, or a server that was killed
 * has forgotten what it had said.
 *
 * @param since the server's clock, epoch milliseconds
 * @param patienceMs it is lost when it has missed its heartbeats for so long
 */
export async function fateOf(
  broker: Broker,
  { node, instance, seenAt }: HolderSeen,
  since: number,
  patienceMs: number,
): Promise<"lives" | "gone" | "lost" | "silent" | "unheard"> {
  const document = await (await broker.documents(NODES_BUCKET)).get(node);
  const report = readNodeReport(document?.value);
  if (document === undefined) return "unheard";
  if (report?.instance !== instance) return "gone";
  if (document.updatedAt > since) return "lives";
  // What it wrote elsewhere shows as well as a heartbeat that it lived then.
  const heard = { updatedAt: Math.max(document.updatedAt, seenAt) };
  return isLost(report, heard, (await broker.serverNow()) - patienceMs) ? "lost" : "silent";
}
