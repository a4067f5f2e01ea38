import type { DisciplinedClock } from "@millrace/core";
import type { BrokerConfig } from "./broker-options.ts";
import type { ServerFeatures } from "./connection/server-features.ts";
import { NatsDelayedJobs } from "./delayed/delayed-jobs.ts";
import { Delays } from "./delayed/delays.ts";
import { DocumentBuckets } from "./documents/document-buckets.ts";
import { IdRecords } from "./keys/id-records.ts";
import { KeyedEnqueue } from "./keys/keyed-enqueue.ts";
import { SkippedJobs } from "./keys/skipped-jobs.ts";
import { EarlierCopies } from "./lookup/earlier-copies.ts";
import { BlockedGenerations } from "./lookup/blocked-generations.ts";
import { LaterGenerations } from "./lookup/later-generations.ts";
import { NatsLocks } from "./locks/locks.ts";
import { NatsMessages } from "./publish/nats-messages.ts";
import { ConfirmedPublisher } from "./publish/confirmed-publisher.ts";
import { FastBatches } from "./publish/fast-batches.ts";
import { OwnWords } from "./publish/own-words.ts";
import { QueueBatches } from "./publish/queue-batches.ts";
import { JobEnds } from "./settlement/job-ends.ts";
import { Settler } from "./settlement/settler.ts";
import { NatsArrivals } from "./store/arrivals.ts";
import { NatsBatches } from "./store/batches.ts";
import { NatsBlocked } from "./store/nats-blocked.ts";
import { NatsDeadLetters } from "./store/dead-letters.ts";
import { NatsHistory } from "./store/history.ts";
import { NatsInbox } from "./store/inbox.ts";
import { NatsJobLogs } from "./store/job-logs.ts";
import { NatsJournal } from "./store/journal.ts";
import { NatsProgress } from "./store/progress.ts";
import { NatsQueues } from "./store/queues.ts";
import type { ServerAccess } from "./store/server-access.ts";
import { NatsSignals } from "./store/signals.ts";
import { DedupeWindows } from "./topology/dedupe-windows.ts";
import { SharedStreams } from "./topology/shared-streams.ts";
import type { SizeLimits } from "./topology/size-limits.ts";
import { serverNow } from "./reads/server-now.ts";
import { LeaseRegistry, type OpenLeases } from "./work/lease-registry.ts";

export interface NatsBrokerParts {
  readonly server: ServerAccess;
  readonly features: ServerFeatures;
  readonly limits: SizeLimits;
  readonly config: BrokerConfig;
  /** The connection's. Follows the server's with each `serverNow()`. */
  readonly clock: DisciplinedClock;
  readonly openLeases: OpenLeases;
}

const HURRIED = { attemptTimeoutMs: 500, timeoutMs: 1_000, tellsUndecided: true };

export type NatsStores = ReturnType<typeof natsStores>;

/** Everything that a broker keeps on its server, and what that is written and read with. */
export function natsStores(
  { server, limits, config, openLeases }: NatsBrokerParts,
  report: (error: unknown, doing: string) => void,
  features: () => ServerFeatures,
) {
  const { nc, names } = server;
  const { replicas } = config;
  // Two, so that a bulk enqueue never stands in the way of a settlement.
  const enqueuer = new ConfirmedPublisher(nc, { namespace: names.namespace });
  const publisher = new ConfirmedPublisher(nc, { tellsUndecided: true });
  // What goes on where its write is refused, because it lies there already.
  const provingPublisher = new ConfirmedPublisher(nc);
  const queueBatches = new QueueBatches(nc, names, enqueuer, features);
  // For the moves that must not be repeated for long; few have any.
  let hurriedPublisher: ConfirmedPublisher | undefined;
  const delays = new Delays(server, names, replicas);
  const progress = new NatsProgress(server, publisher, replicas, report);
  const ensureProgress = (): Promise<void> => progress.ensure();
  const records = new FastBatches(nc, { publisher });
  const onHistory = (takesBatches: boolean): void => records.open(takesBatches);
  const streams = new SharedStreams({
    ...{ server, config, delays, features, ensureProgress, onHistory, onProblem: report },
    onMended: () => config.logger.info({}, "the streams were looked at after the reconnect"),
  });
  const windows = new DedupeWindows(server);
  const ends = new JobEnds(server, windows);
  const history = new NatsHistory(server, report, ends);
  const ownWords = new OwnWords(server, publisher, history, (queue) => windows.memoryOf(queue));
  const earlierCopies = new EarlierCopies(server, windows);
  const remakeStreams = (): Promise<void> => streams.remake();
  const leases = new LeaseRegistry({
    open: openLeases,
    roundTrip: () => nc.flush(),
    onProblem: report,
  });
  const idRecords = new IdRecords(server);
  return {
    ...{ idRecords, keyed: new KeyedEnqueue(nc, names, idRecords) },
    ...{
      enqueuer,
      settlePublisher: publisher,
      provingPublisher,
      delays,
      streams,
      windows,
      ownWords,
      leases,
    },
    ...{ progress, history, records, queueBatches, earlierCopies },
    skipped: new SkippedJobs({ server, publisher: provingPublisher, history }),
    closeHurried: () => hurriedPublisher?.close(),
    laterGenerations: {
      queued: new LaterGenerations(server),
      blocked: new BlockedGenerations(server, windows),
    },
    settler: new Settler({
      ...{ server, publisher, records, ownWords, ends, delays, limits, remakeStreams },
    }),
    documents: new DocumentBuckets(server, replicas, report),
    queues: new NatsQueues(server, { limits, replicas, features }),
    deadLetters: new NatsDeadLetters(server, publisher, limits.server),
    delayed: new NatsDelayedJobs({
      ...{ server, limits, retrying: publisher, maxDelayMs: config.maxDelayMs },
      hurried: () => (hurriedPublisher ??= new ConfirmedPublisher(nc, HURRIED)),
      ensureStreams: () => streams.ensure(),
      serverNow: () => serverNow(server.jsm, names.delayedStream),
    }),
    blocked: new NatsBlocked({
      ...{ server, ownWords, earlier: earlierCopies, onProblem: report },
    }),
    locks: new NatsLocks(server, replicas, (...lock) => leases.keepLock(...lock)),
    batches: new NatsBatches(server, provingPublisher, replicas),
    journal: new NatsJournal({ server, publisher, replicas }),
    signals: new NatsSignals({ server, publisher, replicas, onProblem: report }),
    inbox: new NatsInbox({ server, publisher, replicas, features, onProblem: report }),
    jobLogs: new NatsJobLogs(server, config.jobLogs, replicas),
    arrivals: new NatsArrivals(server, report),
    messages: new NatsMessages(server, enqueuer),
  };
}
