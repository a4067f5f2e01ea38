import type { Broker, WaitingJob } from "../broker/broker.ts";
import type { HistoryRecord } from "../settlement/history-record.ts";
import { isEarlierLife } from "../envelope/lives.ts";
import { enqueuedAt } from "../settlement/one-end.ts";
import { CLOCK_SLACK_MS } from "../time/clock-slack.ts";
import type { StoredClaim } from "./unique-claim.ts";

/**
 * How far the job behind a claim has come, as its history tells; `at` by the clock of the node that
 * settled it.
 */
export type Progress =
  | { readonly kind: "unknown" | "waits" }
  | { readonly kind: "has-started" | "has-ended"; readonly at: number };

/** One read. Says nothing of a job that no node has settled yet. */
export async function progressOf(
  broker: Broker,
  queue: string,
  stored: StoredClaim,
): Promise<Progress> {
  const records = await broker.history.read({ id: stored.claim.id, queue });
  return judgeRecords(records.filter((record) => isOfClaim(record, stored)));
}

/**
 * Whether a record is of the enqueue that the claim is of. The id may have been used before, by a
 * job that ended a moment ago: a record says when the first message of its enqueue was stored.
 */
function isOfClaim(record: HistoryRecord, { claim, since }: StoredClaim): boolean {
  const { generation, at, life = 0 } = record;
  if (generation < (claim.generation ?? 0)) return false;
  // A job that was brought back has the first message of its first life, which is older than its
  // own claim. The claim of a first life is of a job that has only that one.
  const isBroughtBack = life > 0 && isEarlierLife(0, claim.generation ?? 0);
  const from = isBroughtBack ? at : enqueuedAt(record);
  return from >= since - CLOCK_SLACK_MS;
}

function judgeRecords(records: readonly HistoryRecord[]): Progress {
  const last = records.at(-1);
  if (last === undefined) return { kind: "unknown" };
  if (last.state !== "requeued") return { kind: "has-ended", at: last.at };
  const started = records.find(({ startedAt }) => startedAt !== undefined)?.startedAt;
  return started === undefined ? { kind: "waits" } : { kind: "has-started", at: started };
}

/** `since`: when the first message of its enqueue was stored. */
export type Whereabouts =
  { readonly kind: "there"; readonly since: number } | { readonly kind: "ended" | "nowhere" };

/**
 * Where the job behind a claim is: it waits, is delayed or is in a node's hands (`there`); it has
 * ended meanwhile (`ended`); or it is nowhere. Reads the queue through, so it is asked once for a
 * claim and not for each contender.
 *
 * The queue is looked at before the history: a job that moves between two places while it is looked
 * for has left a record by then.
 */
export async function whereabouts(
  broker: Broker,
  queue: string,
  stored: StoredClaim,
  signal?: AbortSignal,
): Promise<Whereabouts> {
  const given = signal === undefined ? {} : { signal };
  const look = () => broker.findWaiting(stored.claim.id, { queue, ...given });
  const waiting = await look();
  if (waiting !== undefined) return isThere(waiting);
  switch ((await progressOf(broker, queue, stored)).kind) {
    case "unknown":
      return { kind: "nowhere" };
    case "has-ended":
      return { kind: "ended" };
    case "waits":
    case "has-started": {
      // It moved while it was looked for, or it was purged: a second look tells.
      const moved = await look();
      return moved === undefined ? { kind: "nowhere" } : isThere(moved);
    }
  }
}

function isThere({ envelope, storedAt }: WaitingJob): Whereabouts {
  return { kind: "there", since: envelope.firstStoredAt ?? storedAt };
}
