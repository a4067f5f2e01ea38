import { LANE_NAMES } from "@millrace/core";
import type { StreamConfig } from "@nats-io/jetstream";
import { fail, type Finding, ok, warn } from "./finding.ts";
import { type ConsumerSeen, judgeConsumer } from "./judge-consumer.ts";
import { judgeMemory } from "./judge-memory.ts";

export const CLUSTER_REPLICAS = 3;
/** A publish that is sent again later than this is a second job. */
const LEAST_DEDUPE_NS = 10e9;
const LANES = LANE_NAMES.length;

export interface QueueSeen {
  readonly queue: string;
  readonly stream: StreamConfig;
  /** The lanes'; none where no node has served the queue yet. */
  readonly consumers: readonly ConsumerSeen[];
  /** Names of consumers that are no lane's. */
  readonly strangers: readonly string[];
  readonly clustered: boolean;
}

/** Everything wrong with one queue, or one finding that nothing is. */
export function judgeQueue(seen: QueueSeen): readonly Finding[] {
  const { queue, stream, consumers, strangers, clustered } = seen;
  const check = `queue ${queue}`;
  const findings: Finding[] = [...judgeMemory(check, stream)];
  if (stream.discard !== "new") {
    findings.push(
      fail(
        check,
        `discards ${stream.discard} messages when full`,
        `Set discard to new (nats stream edit ${stream.name} --discard=new): as it is, a full queue drops jobs.`,
      ),
    );
  }
  if (stream.retention !== "workqueue") {
    findings.push(
      fail(
        check,
        `has retention ${stream.retention}`,
        `Millrace makes its queues with retention workqueue. Remove the stream ${stream.name} once it is empty; the next node makes it again.`,
      ),
    );
  }
  if (stream.max_age > 0) {
    findings.push(
      fail(
        check,
        `deletes jobs after ${Math.round(stream.max_age / 1e9)} s`,
        `Set max_age of ${stream.name} to 0; give jobs an expiry instead, which makes dead letters.`,
      ),
    );
  }
  if (clustered && stream.num_replicas < CLUSTER_REPLICAS) {
    findings.push(
      warn(
        check,
        `has ${stream.num_replicas} replica in a cluster`,
        `Raise it (nats stream edit ${stream.name} --replicas=3): the loss of one server would stop the queue.`,
      ),
    );
  }
  if (stream.max_msgs_per_subject > 0) {
    findings.push(
      fail(
        check,
        `keeps ${stream.max_msgs_per_subject} jobs of a lane`,
        `Set max_msgs_per_subject of ${stream.name} to -1: a lane's jobs share one subject, so more are dropped or refused.`,
      ),
    );
  }
  if (stream.duplicate_window < LEAST_DEDUPE_NS) {
    findings.push(
      warn(
        check,
        `knows an id again for ${stream.duplicate_window / 1e9} s only`,
        `Raise duplicate_window of ${stream.name} to 2 m: a job whose confirmation was lost is sent again, and would run twice.`,
      ),
    );
  }
  for (const stranger of strangers) {
    findings.push(
      warn(
        check,
        `has a consumer ${stranger} that is none of Millrace's`,
        `Remove it (nats consumer rm ${stream.name} ${stranger}): what it takes no node gets. To look at jobs use millrace jobs list.`,
      ),
    );
  }
  if (consumers.length > 0 && consumers.length < LANES) {
    findings.push(
      warn(
        check,
        `has consumers for ${consumers.length} of its ${LANES} lanes`,
        "Restart a node that serves it: a lane without a consumer is not worked. One that an earlier version made is brought over so.",
      ),
    );
  }
  for (const consumer of consumers) findings.push(...judgeConsumer(check, stream, consumer));
  if (findings.length > 0) return findings;
  return [ok(check, consumers.length === 0 ? "is sound; no node has served it yet" : "is sound")];
}
