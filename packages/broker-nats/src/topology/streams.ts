import {
  MAX_EVENT_BYTES,
  MAX_WAITING_EVENTS,
  MAX_SIGNAL_BYTES,
  MAX_WAITING_SIGNALS,
  type QueueSettings,
} from "@millrace/core";
import { DiscardPolicy, RetentionPolicy, StorageType, type StreamConfig } from "@nats-io/jetstream";
import { nanos } from "@nats-io/nats-core";
import type { BatchDoor, ScheduleDoor } from "./stream-doors.ts";
import type { Names } from "./subjects.ts";
import type { SizeLimits } from "./size-limits.ts";

/** The fields Millrace decides; whatever else an operator set on a stream stays as it is. */
export type WantedStream = Partial<StreamConfig> &
  Pick<StreamConfig, "name" | "subjects" | "retention">;

/** A stream as it is created, and which of its fields an existing one must be brought to. */
export interface StreamPlan {
  readonly create: WantedStream;
  /**
   * Subjects without which an existing stream is something else's. Default: those it is created
   * with.
   */
  readonly own?: readonly string[];
  readonly update: (existing: StreamConfig) => Partial<StreamConfig>;
  /** What a server may leave out: whoever uses it looks whether it is there. */
  readonly optional?: readonly (keyof StreamConfig)[];
}

const DEFAULT_DEDUPE_MS = 2 * 60_000;

/** What the server decides of a queue's stream, and the node's own settings. */
export interface QueueStorage {
  readonly limits: SizeLimits;
  readonly replicas: number;
  readonly batches: BatchDoor;
}

/**
 * Settings that are not given stay as they are on a queue that exists, so two nodes of which one
 * names none never undo each other.
 */
export function queueStream(
  names: Names,
  queue: string,
  settings: QueueSettings,
  { limits, replicas, batches }: QueueStorage,
): StreamPlan {
  return {
    create: {
      name: names.queueStream(queue),
      description: `Millrace queue ${queue}`,
      subjects: names.queueSubjects(queue),
      retention: RetentionPolicy.Workqueue,
      storage: StorageType.File,
      // A full queue refuses its publisher; it never drops a job.
      discard: DiscardPolicy.New,
      max_msgs: settings.maxJobs ?? -1,
      max_bytes: settings.maxBytes ?? -1,
      max_msg_size: limits.queue,
      // Looking for a job reads many messages at once where the server can.
      allow_direct: true,
      duplicate_window: nanos(settings.dedupeWindowMs ?? DEFAULT_DEDUPE_MS),
      num_replicas: settings.replicas ?? replicas,
      ...batches.create,
    },
    optional: ["allow_batched"],
    // The producers' subjects are away while the queue is closed.
    own: names.runtimeDoor(queue),
    update: (existing) => ({
      subjects: queueSubjectsOver(existing, names, queue),
      discard: DiscardPolicy.New,
      allow_direct: true,
      ...(settings.maxJobs === undefined ? {} : { max_msgs: settings.maxJobs ?? -1 }),
      ...(settings.maxBytes === undefined ? {} : { max_bytes: settings.maxBytes ?? -1 }),
      ...(settings.dedupeWindowMs === undefined
        ? {}
        : { duplicate_window: nanos(settings.dedupeWindowMs) }),
      ...(settings.replicas === undefined ? {} : { num_replicas: settings.replicas }),
      // Only ever raised: two nodes that see servers of different limits would undo each other.
      ...(existing.max_msg_size >= limits.queue || existing.max_msg_size < 0
        ? {}
        : { max_msg_size: limits.queue }),
      ...batches.update,
    }),
  };
}

/**
 * An operator's own subjects stay. A closed queue stays closed: only who closed it opens it. Those
 * of single jobs are not added here: see `openKeyedDoor`.
 */
function queueSubjectsOver({ subjects }: StreamConfig, names: Names, queue: string): string[] {
  const closed = !subjects.includes(names.jobs(queue, undefined));
  const keyed = names.keyedDoor(queue);
  const wanted = closed
    ? names.runtimeDoor(queue)
    : names
        .queueSubjects(queue)
        .filter((subject) => !keyed.includes(subject) || subjects.includes(subject));
  return [...wanted, ...subjects.filter((subject) => !wanted.includes(subject))];
}

/**
 * No limits: on a stream with schedules a limit would delete jobs, and `discard: new` is refused.
 * But of one job in one generation, which is one subject, only the latest message counts, as
 * schedules have it by themselves: a job is moved to another time by one write that takes the old
 * one away (docs/decisions/delays.md).
 */
export function delayedStream(names: Names, schedules: ScheduleDoor, replicas: number): StreamPlan {
  return {
    create: {
      name: names.delayedStream,
      description: "Millrace jobs that wait for their time",
      subjects: [names.delayedAll, names.dueAll],
      retention: RetentionPolicy.Workqueue,
      storage: StorageType.File,
      discard: DiscardPolicy.Old,
      max_msgs_per_subject: 1,
      allow_direct: true,
      duplicate_window: nanos(DEFAULT_DEDUPE_MS),
      num_replicas: replicas,
      ...schedules.create,
    },
    optional: ["allow_msg_schedules"],
    update: () => ({
      max_msgs: -1,
      max_bytes: -1,
      max_age: 0,
      max_msgs_per_subject: 1,
      allow_direct: true,
      ...schedules.update,
    }),
  };
}

export function deadStream(names: Names, replicas: number): StreamPlan {
  return {
    create: {
      name: names.deadStream,
      description: "Millrace dead letters",
      subjects: [names.deadAll],
      retention: RetentionPolicy.Limits,
      storage: StorageType.File,
      discard: DiscardPolicy.New,
      allow_direct: true,
      duplicate_window: nanos(DEFAULT_DEDUPE_MS),
      num_replicas: replicas,
    },
    update: () => ({ discard: DiscardPolicy.New, allow_direct: true }),
  };
}

/** No limits: a job that waits is never dropped. */
export function blockedStream(names: Names, replicas: number): StreamPlan {
  return {
    create: {
      name: names.blockedStream,
      description: "Millrace jobs that are blocked at a gate",
      subjects: [names.blockedAll],
      retention: RetentionPolicy.Limits,
      storage: StorageType.File,
      discard: DiscardPolicy.New,
      duplicate_window: nanos(DEFAULT_DEDUPE_MS),
      num_replicas: replicas,
    },
    update: () => ({ discard: DiscardPolicy.New, max_msgs: -1, max_bytes: -1, max_age: 0 }),
  };
}

/** One message a subject: a batch, one of its jobs that has not ended, or one that has. */
export function batchStream(names: Names, replicas: number): StreamPlan {
  return {
    create: {
      name: names.batchStream,
      description: "Millrace batches whose jobs have not all ended",
      subjects: [names.batchAll],
      retention: RetentionPolicy.Limits,
      storage: StorageType.File,
      discard: DiscardPolicy.Old,
      max_msgs_per_subject: 1,
      // Nothing in it has a message id; a window would only cost memory.
      duplicate_window: nanos(100),
      num_replicas: replicas,
    },
    update: () => ({ max_msgs_per_subject: 1 }),
  };
}

/**
 * One message a step. No limits: a step that is dropped would be run again. A message that is there
 * is never overwritten but by who names it.
 */
export function journalStream(names: Names, replicas: number): StreamPlan {
  return {
    create: {
      name: names.journalStream,
      description: "Millrace steps of jobs that have not ended",
      subjects: [names.journalAll],
      retention: RetentionPolicy.Limits,
      storage: StorageType.File,
      discard: DiscardPolicy.New,
      max_msgs_per_subject: 1,
      // Nothing in it has a message id; a window would only cost memory.
      duplicate_window: nanos(100),
      num_replicas: replicas,
    },
    update: () => ({
      discard: DiscardPolicy.New,
      max_msgs: -1,
      max_bytes: -1,
      max_age: 0,
      max_msgs_per_subject: 1,
    }),
  };
}

/**
 * What nobody has taken by then is mostly of a job that has ended. A job that sleeps for longer
 * before it asks loses it: `docs/durable-steps.md` says so.
 */
const SIGNAL_AGE_MS = 400 * 24 * 3_600_000;
const SIGNAL_HEADERS_BYTES = 4_096;

/** Producers may write here: so each subject and each message is bounded by the server. */
export function signalStream(names: Names, replicas: number): StreamPlan {
  return {
    create: {
      name: names.signalStream,
      description: "Millrace signals that no job has taken yet",
      subjects: [names.signalAll],
      retention: RetentionPolicy.Limits,
      storage: StorageType.File,
      discard: DiscardPolicy.New,
      discard_new_per_subject: true,
      max_msgs_per_subject: MAX_WAITING_SIGNALS,
      max_msg_size: MAX_SIGNAL_BYTES + SIGNAL_HEADERS_BYTES,
      max_age: nanos(SIGNAL_AGE_MS),
      // An id under which one is sent is of its job's, not of the stream's: else a producer could
      // take another queue's in advance.
      duplicate_window: nanos(100),
      num_replicas: replicas,
    },
    update: () => ({ discard: DiscardPolicy.New, discard_new_per_subject: true }),
  };
}

const EVENT_HEADERS_BYTES = 4_096;

/**
 * What is sent to durable machines, until a host has taken it. Producers may write here: so each
 * subject and each message is bounded by the server, and the timers, which are the server's
 * schedules, lie elsewhere. A schedule names the subject that it publishes to, so who may write one
 * may write to each subject of its stream.
 */
export function inboxStream(names: Names, replicas: number): StreamPlan {
  return {
    create: {
      name: names.inboxStream,
      description: "Millrace events and timers of durable machines",
      subjects: [...names.inboxAll],
      retention: RetentionPolicy.Workqueue,
      storage: StorageType.File,
      discard: DiscardPolicy.New,
      discard_new_per_subject: true,
      max_msgs_per_subject: MAX_WAITING_EVENTS,
      max_msg_size: MAX_EVENT_BYTES + EVENT_HEADERS_BYTES,
      // An event's id is of its machine, not of the stream: else a producer could take another
      // machine's in advance.
      duplicate_window: nanos(100),
      num_replicas: replicas,
    },
    update: () => ({ discard: DiscardPolicy.New, discard_new_per_subject: true }),
  };
}

/** No limits, as for delayed jobs: a limit would drop timers. */
export function timerStream(names: Names, schedules: ScheduleDoor, replicas: number): StreamPlan {
  return {
    create: {
      name: names.timerStream,
      description: "Millrace timers of durable machines",
      subjects: [...names.timerAll],
      retention: RetentionPolicy.Workqueue,
      storage: StorageType.File,
      discard: DiscardPolicy.Old,
      // Nothing in it has a message id; a window would only cost memory.
      duplicate_window: nanos(100),
      num_replicas: replicas,
      ...schedules.create,
    },
    optional: ["allow_msg_schedules"],
    update: () => ({ max_msgs: -1, max_bytes: -1, max_age: 0, ...schedules.update }),
  };
}

/** What no node was left to forget goes by its age. */
const PROGRESS_AGE_MS = 24 * 3_600_000;

/** One message a job: its latest report. */
export function progressStream(names: Names, replicas: number): StreamPlan {
  return {
    create: {
      name: names.progressStream,
      description: "Millrace progress of running jobs",
      subjects: [names.progressAll],
      retention: RetentionPolicy.Limits,
      storage: StorageType.File,
      discard: DiscardPolicy.Old,
      max_msgs_per_subject: 1,
      max_age: nanos(PROGRESS_AGE_MS),
      // Nothing in it has a message id; a window would only cost memory.
      duplicate_window: nanos(100),
      num_replicas: replicas,
    },
    update: () => ({ max_msgs_per_subject: 1 }),
  };
}

export interface JobLogLimits {
  readonly maxAgeMs: number;
  readonly maxBytes: number;
}

/**
 * Lines that handlers logged, oldest out first. The bounds are set when the stream is created;
 * afterwards the operator's own stand.
 */
export function jobLogStream(names: Names, limits: JobLogLimits, replicas: number): StreamPlan {
  return {
    create: {
      name: names.jobLogStream,
      description: "Millrace lines that handlers logged",
      subjects: [names.jobLogAll],
      retention: RetentionPolicy.Limits,
      storage: StorageType.File,
      discard: DiscardPolicy.Old,
      max_age: nanos(limits.maxAgeMs),
      max_bytes: limits.maxBytes,
      // No longer than the age, or the server refuses it.
      duplicate_window: nanos(Math.min(DEFAULT_DEDUPE_MS, limits.maxAgeMs)),
      num_replicas: replicas,
    },
    update: () => ({}),
  };
}
