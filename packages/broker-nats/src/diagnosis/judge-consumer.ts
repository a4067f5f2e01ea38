import type { ConsumerConfig, StreamConfig } from "@nats-io/jetstream";
import { fail, type Finding, warn } from "./finding.ts";

/**
 * Leases are extended every third of `ack_wait`; a shorter one leaves no room for a slow answer.
 */
const LEAST_ACK_WAIT_NS = 3e9;
/** As Millrace makes its lanes; fewer were set by somebody. */
const USUAL_RUNNING = 50_000;
/** Each node keeps one or two pulls at each lane. The server's own default is 512. */
const LEAST_WAITING_PULLS = 1_000;

export interface ConsumerSeen {
  readonly config: ConsumerConfig;
  /** Until when is not said by every server. */
  readonly paused: boolean;
}

/** What is wrong with one of a queue's consumers. */
export function judgeConsumer(
  check: string,
  { name: stream, num_replicas: copies }: StreamConfig,
  { config: consumer, paused }: ConsumerSeen,
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
  const most = consumer.max_ack_pending ?? -1;
  if (most > 0 && most < USUAL_RUNNING) {
    findings.push(
      warn(
        check,
        `runs no more than ${most} jobs of a lane at once over all nodes`,
        `Set max_ack_pending of consumer ${name} on ${stream} to ${USUAL_RUNNING}, and cap the queue with millrace queues set --concurrency where it is to be capped.`,
      ),
    );
  }
  const pulls = consumer.max_waiting ?? 0;
  if (pulls > 0 && pulls < LEAST_WAITING_PULLS) {
    findings.push(
      warn(
        check,
        `takes ${pulls} pulls at once`,
        `Remove consumer ${name} from ${stream} while no node runs; the next node makes it with 10,000. In a large fleet nodes would be refused.`,
      ),
    );
  }
  const own = consumer.num_replicas ?? 0;
  if (own !== 0 && own !== copies) {
    findings.push(
      warn(
        check,
        `has ${copies} replicas, and its consumer ${name} ${own}`,
        `Set the consumer's replicas to 0, which means as many as the stream ${stream} has: a work queue needs as many.`,
      ),
    );
  }
  if (paused) {
    findings.push(
      warn(
        check,
        `has its consumer ${name} paused on the server`,
        `Resume it (nats consumer resume ${stream} ${name}); to pause a queue use millrace queues pause, which says so everywhere.`,
      ),
    );
  }
  return findings;
}
