import {
  LANE_CONSUMERS,
  MillraceError,
  type QueueIntake,
  type QueueSettings,
  type QueueSnapshot,
  type QueueStore,
  requireQueueName,
  requireQueueSettings,
} from "@millrace/core";
import type { JetStreamManager, StreamConfig, StreamInfo } from "@nats-io/jetstream";
import { millis } from "@nats-io/nats-core";
import { STREAM_NOT_FOUND } from "../error-codes.ts";
import { apiCode, request } from "../jetstream-errors.ts";
import { queueStreams } from "./queue-streams.ts";
import { endsOf } from "../reads/scan.ts";
import type { ServerFeatures } from "../connection/server-features.ts";
import { batchDoor } from "../topology/stream-doors.ts";
import { ensureStream } from "../topology/ensure-stream.ts";
import type { SizeLimits } from "../topology/size-limits.ts";
import { lacksKeyedDoor, openKeyedDoor, takeKeyedJobs } from "../topology/keyed-door.ts";
import { queueStream } from "../topology/streams.ts";
import type { Names } from "../topology/subjects.ts";
import { laneConsumer } from "../reads/lane-consumer.ts";
import { countMessages } from "../reads/count-messages.ts";
import { nextMessage } from "../reads/next-message.ts";
import type { ServerAccess } from "./server-access.ts";

export interface QueuesOptions {
  readonly limits: SizeLimits;
  readonly replicas: number;
  /** What the server can do that is connected now. */
  readonly features: () => ServerFeatures;
}

/** Queues as streams: one each, found by name. */
export class NatsQueues implements QueueStore {
  readonly #server: ServerAccess;
  readonly #options: QueuesOptions;

  constructor(server: ServerAccess, options: QueuesOptions) {
    this.#server = server;
    this.#options = options;
  }

  async ensure(queue: string, settings: QueueSettings = {}): Promise<void> {
    const { nc, names } = this.#server;
    const { limits, replicas, features } = this.#options;
    requireQueueSettings(settings);
    const stored = { limits, replicas, batches: batchDoor(nc, features()) };
    const plan = queueStream(names, requireQueueName(queue), settings, stored);
    const { subjects } = await ensureStream(this.#server, plan);
    if (lacksKeyedDoor(subjects, names, queue))
      await request(`open the queue ${queue}`, () => openKeyedDoor(this.#server, queue));
  }

  async setIntake(queue: string, intake: QueueIntake): Promise<void> {
    const { jsm, names } = this.#server;
    requireQueueName(queue);
    await request(`${intake === "open" ? "open" : "close"} the queue ${queue}`, async () => {
      const look = () => streamOf(jsm, names.queueStream(queue), queue);
      if (intakeOf((await look()).config.subjects, names, queue) === intake) return;
      // Both doors at once: who finds one of them open takes the queue for one of a version that
      // has no other.
      const takesKeyed = intake === "open" && (await takeKeyedJobs(this.#server, queue));
      // After that, so that less of what others change meanwhile is undone.
      const { config } = await look();
      const door = names.intakeDoors(queue);
      const others = config.subjects.filter((subject) => !door.includes(subject));
      const keyed = takesKeyed ? [] : names.keyedDoor(queue);
      const opens = door.filter((subject) => !keyed.includes(subject));
      const subjects = intake === "open" ? [...opens, ...others] : others;
      await jsm.streams.update(config.name, { ...config, subjects });
    });
  }

  /**
   * All of them or an error that names the one that can't be read: a list that is short would look
   * complete.
   */
  async list(): Promise<readonly QueueSnapshot[]> {
    const { names } = this.#server;
    const streams = await request("list the queues", () => queueStreams(this.#server));
    const snapshots: QueueSnapshot[] = [];
    for (const stream of streams) {
      try {
        snapshots.push(await this.snapshot(stream.slice(names.queueStreamPrefix.length)));
      } catch (error) {
        // Removed since.
        if (!MillraceError.is(error, "queue-not-found")) throw error;
      }
    }
    return snapshots.sort((a, b) => (a.queue < b.queue ? -1 : 1));
  }

  /**
   * The places of a queue's jobs are looked at one after the other, the queue itself first. A job
   * that comes from one of the others into the queue meanwhile is seen in neither; so what looks
   * empty is looked at once more, and the job is where it came to.
   */
  async snapshot(queue: string): Promise<QueueSnapshot> {
    const first = await this.#look(queue);
    return first.queued + first.running + first.delayed + first.blocked === 0
      ? this.#look(queue)
      : first;
  }

  async settings(queue: string): Promise<QueueSettings> {
    const { jsm, names } = this.#server;
    const { config } = await request(`look at the queue ${queue}`, () =>
      streamOf(jsm, names.queueStream(requireQueueName(queue)), queue),
    );
    return {
      ...limitsOf(config),
      dedupeWindowMs: millis(config.duplicate_window),
      replicas: config.num_replicas,
    };
  }

  /** Its delayed and blocked jobs go with it: they wait for it. Dead letters and history stay. */
  async remove(queue: string): Promise<void> {
    const { jsm, names } = this.#server;
    requireQueueName(queue);
    await request(`remove the queue ${queue}`, async () => {
      await ignoringAbsence(() => jsm.streams.delete(names.queueStream(queue)));
      for (const filter of names.delayedOf(queue))
        await ignoringAbsence(() => jsm.streams.purge(names.delayedStream, { filter }));
      const filter = names.blocked(queue, "*");
      await ignoringAbsence(() => jsm.streams.purge(names.blockedStream, { filter }));
    });
  }

  async #look(queue: string): Promise<QueueSnapshot> {
    const { jsm, names } = this.#server;
    const info = await request(`look at the queue ${queue}`, () =>
      streamOf(jsm, names.queueStream(requireQueueName(queue)), queue, names.mark(queue, ">")),
    );
    const [{ running, active }, delayed, blocked, dead] = await request(
      `look at the queue ${queue}`,
      () =>
        Promise.all([
          this.#running(info.config.name),
          this.#count(names.delayedStream, names.delayedOf(queue)),
          this.#count(names.blockedStream, [names.blocked(queue, "*")]),
          this.#count(names.deadStream, [names.dead(queue)]),
        ]),
    );
    const marks = Object.values(info.state.subjects ?? {}).reduce((sum, count) => sum + count, 0);
    const messages = info.state.messages - marks;
    const first = marks === 0 ? info.state.first_ts : await this.#firstJobAt(info);
    const now = Date.parse(info.ts ?? "");
    const activeMs = running === 0 || active === undefined ? undefined : now - active;
    return {
      queue,
      intake: intakeOf(info.config.subjects, names, queue),
      queued: Math.max(0, messages - running),
      running,
      ...(activeMs === undefined || Number.isNaN(activeMs)
        ? {}
        : { activeMs: Math.max(0, activeMs) }),
      delayed,
      blocked,
      dead,
      oldestAgeMs:
        messages === 0 || first === undefined || Number.isNaN(now)
          ? 0
          : Math.max(0, now - Date.parse(first)),
      ...limitsOf(info.config),
    };
  }

  /** When the first message that is no mark was stored. */
  async #firstJobAt({ config, state }: StreamInfo): Promise<string | undefined> {
    const { jsm, names } = this.#server;
    for (let from = state.first_seq; ;) {
      const stored = await request("look at a queue's first job", () =>
        nextMessage(jsm, config.name, from),
      );
      if (stored === undefined) return undefined;
      if (!names.isMark(stored.subject)) return stored.time.toISOString();
      from = stored.seq + 1;
    }
  }

  /** `active`: when a lane last delivered a job, or heard of the end of one. */
  async #running(stream: string): Promise<{ running: number; active: number | undefined }> {
    const asked = Object.values(LANE_CONSUMERS).map((name) =>
      laneConsumer(this.#server, stream, name),
    );
    const lanes = (await Promise.all(asked)).filter((lane) => lane !== undefined);
    const times = lanes
      .flatMap(({ delivered, ack_floor: acked }) => [delivered.last_active, acked.last_active])
      .flatMap((at) => (at === undefined ? [] : Date.parse(String(at))));
    return {
      running: lanes.reduce((sum, { num_ack_pending: pending }) => sum + pending, 0),
      active: times.length === 0 ? undefined : Math.max(...times),
    };
  }

  async #count(stream: string, filters: readonly string[]): Promise<number> {
    const ends = await endsOf(this.#server, stream);
    let total = 0;
    if (ends !== undefined)
      for (const filter of filters) total += await countMessages(this.#server, ends, filter);
    return total;
  }
}

function limitsOf({ max_msgs: jobs, max_bytes: bytes }: StreamConfig): {
  readonly maxJobs?: number;
  readonly maxBytes?: number;
} {
  return { ...(jobs > 0 ? { maxJobs: jobs } : {}), ...(bytes > 0 ? { maxBytes: bytes } : {}) };
}

function intakeOf(subjects: readonly string[], names: Names, queue: string): QueueIntake {
  return subjects.includes(names.jobs(queue, undefined)) ? "open" : "closed";
}

/** @param subjects of which the messages are counted one by one; default none */
async function streamOf(
  jsm: JetStreamManager,
  stream: string,
  queue: string,
  subjects?: string,
): Promise<StreamInfo> {
  try {
    return await jsm.streams.info(
      stream,
      subjects === undefined ? {} : { subjects_filter: subjects },
    );
  } catch (error) {
    if (apiCode(error) === STREAM_NOT_FOUND) throw queueNotFound(queue, error);
    throw error;
  }
}

export function queueNotFound(queue: string, cause?: unknown): MillraceError {
  return new MillraceError(
    "queue-not-found",
    `There is no queue ${queue}. Create it, or correct its name or the namespace.`,
    { cause },
  );
}

async function ignoringAbsence(run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (apiCode(error) !== STREAM_NOT_FOUND) throw error;
  }
}
