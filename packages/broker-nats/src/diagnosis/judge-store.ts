import type { StreamConfig } from "@nats-io/jetstream";
import { MOVER_CONSUMER } from "../topology/consumer-names.ts";
import type { Names } from "../topology/subjects.ts";
import { fail, type Finding, ok, warn } from "./finding.ts";
import type { ConsumerSeen } from "./judge-consumer.ts";
import { judgeMemory } from "./judge-memory.ts";
import { CLUSTER_REPLICAS } from "./judge-queue.ts";

/** A stream that is no queue's: what waits, dead letters, history, buckets. */
export interface StoreSeen {
  readonly stream: StreamConfig;
  /** Of the delayed jobs' stream; of others nobody asks. */
  readonly consumers: readonly ConsumerSeen[];
  readonly clustered: boolean;
  /** Whether the server lets delayed jobs wait by itself. */
  readonly schedules: boolean;
}

/** Everything wrong with the streams beside the queues, or one finding that nothing is. */
export function judgeStores(names: Names, stores: readonly StoreSeen[]): readonly Finding[] {
  const findings = stores.flatMap((store) => judgeStore(names, store));
  if (findings.length > 0 || stores.length === 0) return findings;
  return [ok("streams", `${stores.length} beside the queues are sound`)];
}

function judgeStore(names: Names, store: StoreSeen): readonly Finding[] {
  const { stream, clustered } = store;
  const { name } = stream;
  const check = `stream ${name}`;
  const findings: Finding[] = [...judgeMemory(check, stream)];
  if (clustered && stream.num_replicas < CLUSTER_REPLICAS) {
    findings.push(
      warn(
        check,
        `has ${stream.num_replicas} replica in a cluster`,
        `Raise it (nats stream edit ${name} --replicas=3), and start nodes with --replicas 3: the loss of one server would stop what it is for.`,
      ),
    );
  }
  if (name === names.delayedStream) findings.push(...judgeDelayed(check, names, store));
  if (name === names.blockedStream || name === names.batchStream)
    findings.push(...judgeUnlimited(check, stream, "jobs that wait"));
  if (name === names.journalStream)
    findings.push(...judgeUnlimited(check, stream, "steps of jobs that have not ended"));
  if (name === names.signalStream) findings.push(...judgeSignals(check, stream));
  if (name === names.timerStream)
    findings.push(
      ...judgeUnlimited(check, stream, "timers of machines"),
      ...judgeSchedules(check, store, "timers"),
    );
  if (name === names.deadStream) findings.push(...judgeDead(check, stream));
  if (name.startsWith("KV_"))
    findings.push(...judgeBucket(check, stream, name === `KV_${names.bucket("locks")}`, clustered));
  return findings;
}

function judgeUnlimited(check: string, stream: StreamConfig, what: string): readonly Finding[] {
  const limits = [
    ...(stream.max_age > 0 ? ["max_age"] : []),
    ...(stream.max_msgs > 0 ? ["max_msgs"] : []),
    ...(stream.max_bytes > 0 ? ["max_bytes"] : []),
  ];
  if (limits.length === 0) return [];
  return [
    fail(
      check,
      `has a limit (${limits.join(", ")}), which deletes ${what} or refuses them`,
      `Remove ${limits.join(" and ")} from ${stream.name}; the next node that starts does it too.`,
    ),
  ];
}

/** Producers write here: each name of each job has its limit, and so has each message. */
function judgeSignals(check: string, stream: StreamConfig): readonly Finding[] {
  if (stream.discard_new_per_subject && stream.max_msgs_per_subject > 0) return [];
  return [
    fail(
      check,
      "takes any number of signals for one job, or drops the oldest for a new one",
      `Set its limit: nats stream edit ${stream.name} --discard=new --discard-per-subject --max-msgs-per-subject=100.`,
    ),
  ];
}

function judgeDelayed(check: string, names: Names, seen: StoreSeen): readonly Finding[] {
  const { stream, consumers, schedules } = seen;
  const findings: Finding[] = [...judgeUnlimited(check, stream, "delayed jobs")];
  if (schedules && stream.discard === "new") {
    findings.push(
      fail(
        check,
        "refuses what it has no room for (discard new), which servers refuse beside schedules",
        `Set discard of ${stream.name} to old: with discard new a delayed job is refused (server error 10052).`,
      ),
    );
  }
  findings.push(...judgeSchedules(check, seen, "jobs"));
  for (const { config } of consumers) {
    const consumer = config.durable_name ?? config.name ?? "";
    if (consumer !== MOVER_CONSUMER) {
      if (filtersOf(config).some((filter) => !filter.startsWith(withoutWildcard(names.dueAll))))
        findings.push(
          fail(
            check,
            `has a consumer ${consumer} that takes jobs before they are due`,
            `Remove it (nats consumer rm ${stream.name} ${consumer}), and read delayed jobs with millrace jobs list --state delayed.`,
          ),
        );
      continue;
    }
    if ((config.max_deliver ?? -1) > 0 || (config.backoff?.length ?? 0) > 0)
      findings.push(
        fail(
          check,
          "has a mover with max_deliver or a backoff",
          `Remove consumer ${consumer} from ${stream.name}; the next node makes it anew. As it is, due jobs stay there for good or come at the wrong time.`,
        ),
      );
    if (!schedules && (config.max_ack_pending ?? -1) > 0)
      findings.push(
        fail(
          check,
          `lets no more than ${config.max_ack_pending} delayed jobs wait`,
          `Set max_ack_pending of consumer ${consumer} on ${stream.name} to -1: on this server a delayed job waits in it.`,
        ),
      );
  }
  return findings;
}

/** In a cluster a node sets nothing that takes the stream away from servers which are still old. */
function judgeSchedules(
  check: string,
  { stream, schedules, clustered }: StoreSeen,
  what: string,
): readonly Finding[] {
  if (!schedules || stream.allow_msg_schedules === true) return [];
  const mend = clustered
    ? `Set allow_msg_schedules of ${stream.name} once all servers of the cluster are 2.12 or newer, and restart the nodes: see docs/upgrading.md.`
    : "Restart a node: it brings the stream over to the server's own schedules, as after an upgrade from 2.10 or 2.11.";
  return [warn(check, `lets no ${what} wait on the server, which could do it`, mend)];
}

function filtersOf(config: ConsumerSeen["config"]): readonly string[] {
  const filters = [config.filter_subject ?? "", ...(config.filter_subjects ?? [])];
  const given = filters.filter((filter) => filter !== "");
  return given.length === 0 ? [">"] : given;
}

function withoutWildcard(subject: string): string {
  return subject.slice(0, -1);
}

function judgeDead(check: string, stream: StreamConfig): readonly Finding[] {
  if (stream.discard === "new" && stream.max_age <= 0) return [];
  return [
    warn(
      check,
      stream.max_age > 0
        ? `deletes dead letters after ${Math.round(stream.max_age / 1e9)} s`
        : "deletes its oldest dead letters when it is full",
      `Set discard of ${stream.name} to new and max_age to 0, if nobody is to miss a dead letter; then look at them more often.`,
    ),
  ];
}

function judgeBucket(
  check: string,
  stream: StreamConfig,
  isLocks: boolean,
  clustered: boolean,
): readonly Finding[] {
  const findings: Finding[] = [];
  // A stream of one replica needs no leader for a direct get: claims on unique keys are read so.
  if (clustered && stream.allow_direct && stream.num_replicas > 1)
    findings.push(
      warn(
        check,
        "is read from any replica",
        `Turn allow_direct of ${stream.name} off: a replica may not know yet what was written a moment ago.`,
      ),
    );
  if (isLocks && stream.max_age <= 0)
    findings.push(
      fail(
        check,
        "keeps a dead holder's lock for ever",
        `Set max_age of ${stream.name} to what it was (nats stream edit), or remove the bucket while no node runs.`,
      ),
    );
  if (stream.max_msgs_per_subject !== 1)
    findings.push(
      warn(
        check,
        `keeps ${stream.max_msgs_per_subject} revisions of a key`,
        `Set max_msgs_per_subject of ${stream.name} to 1: old revisions are never read.`,
      ),
    );
  return findings;
}
