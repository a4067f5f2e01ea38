import { LANE_CONSUMERS, type LaneName } from "@millrace/core";
import {
  AckPolicy,
  type ConsumerConfig,
  DeliverPolicy,
  type JetStreamManager,
  ReplayPolicy,
} from "@nats-io/jetstream";
import { millis, nanos } from "@nats-io/nats-core";
import { STREAM_NOT_FOUND } from "../error-codes.ts";
import { apiCode, asMillraceError, CONSUMER_NOT_FOUND, request } from "../jetstream-errors.ts";
import type { ServerAccess } from "../store/server-access.ts";
import { lacksKeyedDoor, openKeyedDoor } from "./keyed-door.ts";
import { noSuchQueue, type StoredSubjects, storedSubjects } from "./unlisted-subjects.ts";
import { machineConsumer, MOVER_CONSUMER, WAKER_CONSUMER } from "./consumer-names.ts";
import type { Names } from "./subjects.ts";

const ALREADY_EXISTS = 10148;
const ROUNDS = 5;

/**
 * Jobs in workers' hands over the whole fleet. Workers pull no more than they have slots for, so
 * this never is what limits them; a smaller number would silently cap a large fleet.
 */
const MAX_RUNNING = 50_000;
/**
 * Pulls outstanding at once; each worker keeps one or two. The server's own default of 512 is too
 * few for a large fleet.
 */
const MAX_WAITING_PULLS = 10_000;
/**
 * What a mover that died held comes to another after this long: much more than the under a second
 * it is held for.
 */
const MOVER_LEASE_MS = 5_000;

/**
 * The queue's consumers, one a lane. Then the queue takes jobs on subjects of their own.
 *
 * The lease lives with the queue: the first worker sets it, and a worker that asks for a longer one
 * raises it for all. It is never shortened, because nodes that count on the longer one would extend
 * too late.
 *
 * A queue of the version that knew no lanes has one consumer that takes everything. It is narrowed
 * before the others are made, for no two may overlap in a work queue; what it had handed out stays
 * its own, and may be delivered by its lane's consumer as well.
 *
 * @throws MillraceError `queue-not-found`
 */
export async function ensureQueueConsumers(
  server: Pick<ServerAccess, "jsm" | "names">,
  queue: string,
  leaseMs: number,
): Promise<Ensured> {
  const { names } = server;
  let addedKeys = false;
  const onFilters = (had: readonly string[]): void => {
    addedKeys ||= !names.keyedDoor(queue).some((pattern) => had.includes(pattern));
  };
  const { taken, unlisted } = await storedSubjects(server.jsm, names, queue);
  const granted = await ensureLanes(server, queue, { leaseMs, unlisted, onFilters });
  if (lacksKeyedDoor(taken, names, queue))
    await request(`open the queue ${queue}`, () => openKeyedDoor(server, queue));
  return { leaseMs: granted, addedKeys };
}

export interface Ensured {
  /** The lease in force, milliseconds. */
  readonly leaseMs: number;
  /** Whether a consumer left out jobs on subjects of their own: it may have passed some. */
  readonly addedKeys: boolean;
}

async function ensureLanes(
  { jsm, names }: Pick<ServerAccess, "jsm" | "names">,
  queue: string,
  {
    leaseMs,
    unlisted,
    onFilters,
  }: Pick<LaneWish, "leaseMs" | "onFilters"> & Pick<StoredSubjects, "unlisted">,
): Promise<number> {
  const ensure = (lane: LaneName, wantedMs: number): Promise<number> =>
    ensureLaneConsumer(jsm, names.queueStream(queue), {
      name: LANE_CONSUMERS[lane],
      filters: [...names.laneFilters(queue, lane), ...(lane === "normal" ? unlisted : [])],
      leaseMs: wantedMs,
      onFilters,
    });
  for (let wantedMs = leaseMs; ;) {
    const normal = await ensure("normal", wantedMs);
    const granted = [
      normal,
      ...(await Promise.all([ensure("high", normal), ensure("low", normal)])),
    ];
    wantedMs = Math.max(...granted);
    // A consumer that was made anew by hand may have another lease. Then all get the longest one.
    if (granted.every((each) => each === wantedMs)) return wantedMs;
  }
}

interface LaneWish {
  readonly name: string;
  readonly filters: string[];
  readonly leaseMs: number;
  /** Told what an existing consumer had before. */
  readonly onFilters: (had: readonly string[]) => void;
}

async function ensureLaneConsumer(
  jsm: JetStreamManager,
  stream: string,
  lane: LaneWish,
): Promise<number> {
  const wanted = nanos(lane.leaseMs);
  const config = await ensureConsumer(
    jsm,
    stream,
    {
      durable_name: lane.name,
      filter_subjects: lane.filters,
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      replay_policy: ReplayPolicy.Instant,
      ack_wait: wanted,
      // Past a finite number a message would stay in the stream for good; settlement decides how
      // often is too often.
      max_deliver: -1,
      max_ack_pending: MAX_RUNNING,
      max_waiting: MAX_WAITING_PULLS,
    },
    (existing) => {
      lane.onFilters(existing.filter_subjects ?? []);
      return {
        ...((existing.ack_wait ?? 0) < wanted ? { ack_wait: wanted } : {}),
        ...(sameFilters(existing.filter_subjects ?? [], lane.filters)
          ? {}
          : { filter_subjects: lane.filters }),
      };
    },
  );
  return millis(config.ack_wait ?? wanted);
}

function sameFilters(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((filter) => others.includes(filter));
}

/**
 * The mover's consumer. Postponed messages count as pending, so pending has no limit.
 *
 * @returns how long a mover may hold a message, milliseconds
 */
export async function ensureMoverConsumer(jsm: JetStreamManager, names: Names): Promise<number> {
  await ensureConsumer(
    jsm,
    names.delayedStream,
    {
      durable_name: MOVER_CONSUMER,
      filter_subject: names.dueAll,
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      replay_policy: ReplayPolicy.Instant,
      ack_wait: nanos(MOVER_LEASE_MS),
      max_deliver: -1,
      max_ack_pending: -1,
      max_waiting: MAX_WAITING_PULLS,
    },
    () => ({}),
  );
  return MOVER_LEASE_MS;
}

/** What a node that died was told of comes to another after this. */
const WAKER_LEASE_MS = 10_000;

/** Of who wakes jobs for their signals. */
export async function ensureSignalConsumer(jsm: JetStreamManager, names: Names): Promise<void> {
  await ensureConsumer(
    jsm,
    names.signalStream,
    {
      durable_name: WAKER_CONSUMER,
      filter_subject: names.signalAll,
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      replay_policy: ReplayPolicy.Instant,
      ack_wait: nanos(WAKER_LEASE_MS),
      max_deliver: -1,
      max_ack_pending: MAX_RUNNING,
      max_waiting: MAX_WAITING_PULLS,
    },
    () => ({}),
  );
}

/** What a host that died had in hand comes to another after this. */
export const HOST_LEASE_MS = 10_000;

/** Of who hosts a name's machines. Timers that a host gives back count as pending. */
export async function ensureMachineConsumer(
  jsm: JetStreamManager,
  names: Names,
  machine: string,
  from: "inbox" | "timers",
): Promise<void> {
  await ensureConsumer(
    jsm,
    from === "inbox" ? names.inboxStream : names.timerStream,
    {
      durable_name: machineConsumer(machine),
      filter_subjects: names.machineFilters(machine, from),
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      replay_policy: ReplayPolicy.Instant,
      ack_wait: nanos(HOST_LEASE_MS),
      max_deliver: -1,
      max_ack_pending: -1,
      max_waiting: MAX_WAITING_PULLS,
    },
    () => ({}),
  );
}

async function ensureConsumer(
  jsm: JetStreamManager,
  stream: string,
  create: Partial<ConsumerConfig> & { readonly durable_name: string },
  changesTo: (existing: ConsumerConfig) => Partial<ConsumerConfig>,
): Promise<ConsumerConfig> {
  for (let round = 1; ; round += 1) {
    try {
      const existing = await findConfig(jsm, stream, create.durable_name);
      if (existing === undefined) return (await jsm.consumers.add(stream, create)).config;
      const changes = changesTo(existing);
      if (Object.keys(changes).length === 0) return existing;
      return (await jsm.consumers.update(stream, create.durable_name, { ...existing, ...changes }))
        .config;
    } catch (error) {
      const code = apiCode(error);
      const raced = code === CONSUMER_NOT_FOUND || code === ALREADY_EXISTS;
      if (code === STREAM_NOT_FOUND) throw noSuchQueue(stream, error);
      if (!raced || round === ROUNDS)
        throw asMillraceError(error, `create the consumer of ${stream}`);
    }
  }
}

async function findConfig(
  jsm: JetStreamManager,
  stream: string,
  name: string,
): Promise<ConsumerConfig | undefined> {
  try {
    return (await jsm.consumers.info(stream, name)).config;
  } catch (error) {
    if (apiCode(error) === CONSUMER_NOT_FOUND) return undefined;
    throw error;
  }
}
