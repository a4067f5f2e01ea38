import { LANE_NAMES } from "@millrace/core";
import type { ConsumerConfig, StreamConfig } from "@nats-io/jetstream";
import { fail, type Finding, ok, warn } from "./finding.ts";

/** Leases are extended every third of `ack_wait`; a shorter one leaves no room for a slow answer. */
const LEAST_ACK_WAIT_NS = 3e9;
const CLUSTER_REPLICAS = 3;
const LANES = LANE_NAMES.length;

export interface QueueSeen {
  readonly queue: string;
  readonly stream: StreamConfig;
  /** The lanes'; none where no node has served the queue yet. */
  readonly consumers: readonly ConsumerConfig[];
  readonly clustered: boolean;
}

/** Everything wrong with one queue, or one finding that nothing is. */
export function judgeQueue(seen: QueueSeen): readonly Finding[] {
  const { queue, stream, consumers, clustered } = seen;
  const check = `queue ${queue}`;
  const findings: Finding[] = [];
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
  if (consumers.length > 0 && consumers.length < LANES) {
    findings.push(
      warn(
        check,
        `has consumers for ${consumers.length} of its ${LANES} lanes`,
        "Restart a node that serves it: a lane without a consumer is not worked. One that an earlier version made is brought over so.",
      ),
    );
  }
  for (const consumer of consumers) findings.push(...judgeConsumer(check, stream.name, consumer));
  if (findings.length > 0) return findings;
  return [ok(check, consumers.length === 0 ? "is sound; no node has served it yet" : "is sound")];
}

function judgeConsumer(
  check: string,
  stream: string,
  consumer: ConsumerConfig,
): readonly Finding[] {
  const name = consumer.durable_name ?? "";
  const findings: Finding[] = [];
  if ((consumer.max_deliver ?? -1) > 0) {
    findings.push(
      fail(
        check,
        `gives up after ${consumer.max_deliver} deliveries`,
        `Set max_deliver of consumer ${name} on ${stream} to -1: past it a job stays in the stream and nobody gets it.`,
      ),
    );
  }
  if ((consumer.backoff?.length ?? 0) > 0) {
    findings.push(
      fail(
        check,
        "has a backoff on its consumer",
        `Remove backoff from consumer ${name} on ${stream}: it replaces ack_wait, and leases run out early.`,
      ),
    );
  }
  const ackWait = consumer.ack_wait ?? 0;
  if (ackWait < LEAST_ACK_WAIT_NS) {
    findings.push(
      warn(
        check,
        `has an ack_wait of ${Math.round(ackWait / 1e6)} ms`,
        `Raise ack_wait of consumer ${name} on ${stream} to 30 s: a slow answer would cost the lease.`,
      ),
    );
  }
  return findings;
}
