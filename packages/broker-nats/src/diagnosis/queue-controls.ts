import { CONTROLS_BUCKET, type QueueControls, readControls } from "@millrace/core";
import type { JetStreamManager } from "@nats-io/jetstream";
import { toKvKey } from "../documents/kv-key.ts";
import { readJson } from "../documents/read-json.ts";
import { lastMessage } from "../reads/next-message.ts";
import type { Names } from "../topology/subjects.ts";
import { type Finding, ok } from "./finding.ts";

/** What an operator has set for a queue. */
export async function lookAtControls(
  jsm: JetStreamManager,
  names: Names,
  queue: string,
): Promise<QueueControls> {
  const bucket = names.bucket(CONTROLS_BUCKET);
  const stored = await lastMessage(jsm, `KV_${bucket}`, `$KV.${bucket}.${toKvKey(queue)}`);
  const isSet = stored !== undefined && stored.data.length > 0;
  return readControls(isSet ? jsonOf(stored.data) : undefined).controls;
}

/**
 * Which trust an operator has given a queue's producers beyond their own queue; nothing where that
 * is none.
 */
export function judgeReach(queue: string, { sendsTo = [] }: QueueControls): readonly Finding[] {
  if (sendsTo.length === 0) return [];
  return [
    ok(`queue ${queue}`, `jobs of its producers may be followed by jobs in ${sendsTo.join(", ")}`),
  ];
}

/** Anybody may have written there: what is no JSON says nothing. */
function jsonOf(data: Uint8Array): unknown {
  try {
    return readJson(data);
  } catch {
    return undefined;
  }
}
