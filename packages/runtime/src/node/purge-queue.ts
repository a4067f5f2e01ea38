import {
  type BlockedStore,
  type Broker,
  changeControls,
  type Clock,
  type ControlMark,
  CONTROLS_BUCKET,
  defineJob,
  type Envelope,
  isHopeless,
  type Logger,
  optionNames,
  type Outcome,
  type QueueMessage,
  refuseUnknown,
  silentLogger,
} from "@millrace/core";
import { createNode, type MillraceNode } from "./node.ts";

export interface PurgeOptions {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly queue: string;
  /** Delayed jobs too, retries that wait for their backoff among them. Default false. */
  readonly delayed?: boolean;
  /** Shown as whoever paused the queue meanwhile. */
  readonly by?: string;
  /** Of the worker that does it, unique in the fleet. Default: as a node's. */
  readonly name?: string;
  readonly log?: Logger;
  readonly onProgress?: (progress: PurgeProgress) => void;
  /** Ends it early; what was cancelled stays cancelled. */
  readonly signal?: AbortSignal;
}

const NAMES = optionNames<PurgeOptions>({
  ...{ broker: true, clock: true, queue: true, delayed: true, by: true, name: true, log: true },
  ...{ onProgress: true, signal: true },
});

export interface PurgeProgress {
  /** Jobs settled as `cancelled`. */
  readonly cancelled: number;
  /** Messages that could not be read, and are dead letters now. */
  readonly dead: number;
  /**
   * Jobs of producers that were not due yet: they wait for their time now, as any node would have
   * had them do.
   */
  readonly deferred: number;
  /** What was left at the last look. */
  readonly queued: number;
  readonly blocked: number;
  readonly delayed: number;
}

export type PurgeResult = PurgeProgress & {
  /** In the hands of nodes when the purge ended: they go on. */
  readonly running: number;
};

/** Jobs in the purge's hands at once: it only publishes. */
const SLOTS = 500;
const LOOK_MS = 100;
/**
 * Where nothing has changed for so long, what is left does not come: a killed server may have left
 * a message in the stream that it delivers to nobody.
 */
const STILL_MS = 30_000;
const PAGE = 200;
export const PURGED = "purged";

/**
 * Cancels what waits in a queue, never what runs. The purge is a worker that runs nothing: it
 * settles each job as `cancelled` for the reason `purged`, so that its record, its unique key and
 * its batch follow as with any other end.
 *
 * Blocked jobs that their queue refuses, as it takes only smaller ones now, are cancelled without
 * their payloads. What it refuses for another reason is left and told.
 *
 * The queue is paused for all others meanwhile, and afterwards as it was. A purge that was killed
 * leaves it paused: resume it. With producers that go on, close the queue first, or it may never be
 * empty. What has not come to the purge within half a minute in which nothing changed is left.
 *
 * @throws MillraceError `queue-not-found` …
 */
export async function purgeQueue(options: PurgeOptions): Promise<PurgeResult> {
  refuseUnknown(options, NAMES, "purgeQueue()");
  const { broker, clock, queue, by } = options;
  await broker.queues.snapshot(queue);
  const store = await broker.documents(CONTROLS_BUCKET);
  const mark: ControlMark = {
    since: clock.now(),
    reason: "purge",
    ...(by === undefined ? {} : { by }),
  };
  const isOurs = (paused: ControlMark | undefined): boolean =>
    paused?.since === mark.since && paused.reason === mark.reason && paused.by === mark.by;
  await changeControls(store, queue, ({ paused }) =>
    paused === undefined ? { paused: mark } : undefined,
  );
  try {
    return await cancelWaiting(options);
  } finally {
    // Whatever an operator said meanwhile stands.
    await changeControls(store, queue, ({ paused }) =>
      isOurs(paused) ? { paused: null } : undefined,
    );
  }
}

async function cancelWaiting(options: PurgeOptions): Promise<PurgeResult> {
  const { broker, clock, queue, onProgress, signal } = options;
  const node = purgingNode(options);
  const counts = { cancelled: 0, dead: 0, deferred: 0 };
  /** A node that has not heard of the pause yet may be who settles them. Each is counted here. */
  const letInToEnd = new Set<string>();
  node.events.on("job.settled", ({ id, state }) => {
    if (letInToEnd.has(id)) return;
    if (state === "cancelled") counts.cancelled += 1;
    else if (state === "dead") counts.dead += 1;
    else if (state === "requeued") counts.deferred += 1;
  });
  try {
    await node.start();
    let passedOver = 0;
    let seen = "";
    let changedAt = clock.monotonic();
    for (;;) {
      const { queued, blocked, delayed } = await broker.queues.snapshot(queue);
      onProgress?.({ ...counts, queued, blocked, delayed });
      const rest = queued + (options.delayed === true ? delayed : 0);
      if (signal?.aborted === true || (rest === 0 && blocked === passedOver)) break;
      const now = JSON.stringify({ counts, rest, blocked, has: node.running.length });
      if (now !== seen) changedAt = clock.monotonic();
      else if (clock.monotonic() - changedAt >= STILL_MS) break;
      seen = now;
      const known = letInToEnd.size;
      const moved = blocked === 0 ? 0 : await letIn(broker, queue, letInToEnd);
      counts.cancelled += letInToEnd.size - known;
      // What can't be let in, since its queue refuses it, can't be cancelled this way either.
      passedOver = moved === 0 ? blocked : 0;
      if (options.delayed === true && delayed > 0) await bringForward(broker, queue, signal);
      await new Promise<void>((resolve) => clock.setTimer(LOOK_MS, resolve));
    }
  } finally {
    await node.stop();
  }
  const { queued, blocked, delayed, running } = await broker.queues.snapshot(queue);
  return { ...counts, queued, blocked, delayed, running };
}

/**
 * Jobs that wait at gates come through the queue too, which this worker enters without one.
 *
 * @param toEnd takes the ids of those that come marked as cancelled, which no node runs
 * @returns how many came
 */
async function letIn({ blocked }: Broker, queue: string, toEnd: Set<string>): Promise<number> {
  let moved = 0;
  for (const { gate, count } of await blocked.gates(queue))
    moved += await blocked.release(queue, gate, count);
  return moved > 0 ? moved : letInMarked(blocked, queue, toEnd);
}

/** What its queue refuses for its size comes without its payload. */
async function letInMarked(
  blocked: BlockedStore,
  queue: string,
  toEnd: Set<string>,
): Promise<number> {
  let moved = 0;
  for (let after = 0; ;) {
    const page = await blocked.list({ queue, after });
    if (page.length === 0) return moved;
    for (const { envelope, sequence } of page) {
      after = sequence;
      const { id, createdAt } = envelope;
      // Before it comes: it may be settled before the answer is here.
      toEnd.add(id);
      try {
        const meant = { createdAt, sequence, reason: PURGED };
        if (await blocked.releaseJob(queue, id, meant)) moved += 1;
        else toEnd.delete(id);
      } catch (error) {
        toEnd.delete(id);
        if (!isHopeless(error)) throw error;
      }
    }
  }
}

/**
 * Delayed jobs come through the queue, so that there is one way to an end. What is due within
 * moments comes by itself.
 */
async function bringForward(
  broker: Broker,
  queue: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const store = broker.delayed;
  for (let after = 0; signal?.aborted !== true;) {
    const page = await store.list({ queue, limit: PAGE, after });
    if (page.length === 0) return;
    after = Math.max(...page.map(({ position }) => position));
    const cancellation = { reason: PURGED };
    await Promise.all(page.map(({ id }) => store.move(id, queue, "now", { cancellation })));
  }
}

function purgingNode({
  broker,
  clock,
  queue,
  name,
  delayed,
  log = silentLogger,
}: PurgeOptions): MillraceNode {
  // A node needs a job to serve a queue; this one is never asked.
  const nothing = defineJob({ name: "millrace.purge", queue }).handler(() => undefined);
  return createNode(
    {
      ...(name === undefined ? {} : { name }),
      ...{ broker, clock, log, jobs: [nothing], slots: SLOTS, grace: "10s" },
    },
    {
      settleUnrun: (envelope, message) =>
        purgeOutcome(envelope, message, delayed === true ? Infinity : clock.now()),
    },
  );
}

/** A delayed job that no node has moved yet lies in the queue and doesn't wait in it. */
function purgeOutcome(
  { notBefore }: Envelope,
  { origin }: Pick<QueueMessage, "origin">,
  dueBy: number,
): Outcome {
  return origin !== "runtime" && notBefore !== undefined && notBefore > dueBy
    ? { kind: "deferred", untilMs: notBefore }
    : { kind: "cancelled", reason: PURGED };
}
