import {
  type Broker,
  CONTROLS_BUCKET,
  defined,
  type LockView,
  type QueueControls,
  type QueueSnapshot,
  type RateLimit,
  readBucket,
  readControls,
} from "@millrace/core";
import { snapshotsOf } from "./snapshots.ts";
import { permitPrefix, rateKey, RATES_BUCKET, slotsOf } from "@millrace/runtime";

/** Who uses a limit, and how much of it. */
export interface LimitUse {
  /** A node's name. */
  readonly holder: string;
  /** Slots it may fill, or tokens it has not used yet. */
  readonly count: number;
  /**
   * Since when it holds the first of its slots, epoch milliseconds by its own clock. Absent of
   * tokens, and of a node of an older version.
   */
  readonly since?: number;
}

/** The limits of a queue that count over all nodes, and who uses them now. */
export interface QueueLimits {
  readonly queue: string;
  readonly concurrency?: {
    /** As an operator set it; absent where nodes brought it along in their options. */
    readonly limit?: number;
    readonly holders: readonly LimitUse[];
  };
  readonly rate?: RateLimit & {
    /** Starts that are free at the moment. */
    readonly available: number;
    readonly holders: readonly LimitUse[];
  };
  readonly perKey?: {
    readonly concurrency?: number;
    readonly rate?: RateLimit;
    readonly holders: readonly {
      readonly key: string;
      readonly holder: string;
      /** As of `concurrency`. */
      readonly since?: number;
    }[];
  };
  /** What the queue may hold, where that is set. At `maxJobs` producers are refused. */
  readonly size?: {
    readonly maxJobs?: number;
    readonly maxBytes?: number;
    /** Jobs that it holds now: those that wait in it, and those that run. */
    readonly jobs: number;
  };
}

const KEY_PERMITS = "cap/";

/** Of one queue, or of all that have any. Reads all locks: for people. */
export async function limitsOf(broker: Broker, queue?: string): Promise<readonly QueueLimits[]> {
  const [snapshots, documents, queuePermits, keyPermits] = await Promise.all([
    snapshotsOf(broker, queue),
    broker.documents(CONTROLS_BUCKET, { look: true }).then((store) => store.list()),
    broker.locks.list(queue === undefined ? permitPrefix() : permitPrefix(queue)),
    broker.locks.list(queue === undefined ? KEY_PERMITS : `${KEY_PERMITS}${queue}/`),
  ]);
  const controls = new Map(documents.map(({ key, value }) => [key, readControls(value).controls]));
  const queues = new Set(
    queue === undefined
      ? [
          ...snapshots.map((snapshot) => snapshot.queue),
          ...[...controls.keys(), ...[...queuePermits, ...keyPermits].map(queueOfPermit)],
        ]
      : [queue],
  );
  const all: QueueLimits[] = [];
  for (const name of [...queues].toSorted()) {
    const set = controls.get(name) ?? {};
    const ofQueue = (permit: LockView): boolean => queueOfPermit(permit) === name;
    const limits: QueueLimits = {
      queue: name,
      ...concurrencyOf(set, queuePermits.filter(ofQueue)),
      ...(await rateOf(broker, name, set)),
      ...perKeyOf(set, keyPermits.filter(ofQueue)),
      ...sizeOf(snapshots.find((snapshot) => snapshot.queue === name)),
    };
    if (queue !== undefined || Object.keys(limits).length > 1) all.push(limits);
  }
  return all;
}

function sizeOf(snapshot: QueueSnapshot | undefined): Pick<QueueLimits, "size"> {
  if (snapshot === undefined) return {};
  const { maxJobs, maxBytes, queued, running } = snapshot;
  if (maxJobs === undefined && maxBytes === undefined) return {};
  return {
    size: {
      ...defined({ maxJobs, maxBytes }),
      jobs: queued + running,
    },
  };
}

function concurrencyOf(
  { concurrency }: QueueControls,
  permits: readonly LockView[],
): Pick<QueueLimits, "concurrency"> {
  if (concurrency === undefined && permits.length === 0) return {};
  const uses = new Map<string, LimitUse>();
  for (const { name, holder, since } of permits) {
    const permit = Number(name.slice(name.lastIndexOf("/") + 1));
    // Without the cap what a permit stands for isn't known; up to 64 it is one slot.
    const slots = concurrency === undefined ? 1 : slotsOf(permit, concurrency);
    const before = uses.get(holder);
    const first = Math.min(...[before?.since, since].filter((at) => at !== undefined));
    uses.set(holder, {
      ...{ holder, count: (before?.count ?? 0) + slots },
      ...(first === Infinity ? {} : { since: first }),
    });
  }
  return {
    concurrency: {
      ...(concurrency === undefined ? {} : { limit: concurrency }),
      holders: [...uses.values()],
    },
  };
}

async function rateOf(
  broker: Broker,
  queue: string,
  { rate }: QueueControls,
): Promise<Pick<QueueLimits, "rate">> {
  if (rate === undefined) return {};
  const rates = await broker.documents(RATES_BUCKET, { look: true });
  const document = await rates.get(rateKey(queue));
  const now = document === undefined ? 0 : await rates.now();
  const { tokens, at, held } = readBucket(document?.value, rate, now);
  const holders = Object.entries(held)
    .filter(([, { until }]) => until > now)
    .map(([holder, { count }]) => ({ holder, count }));
  const room = rate.limit - holders.reduce((sum, { count }) => sum + count, 0);
  const refilled = tokens + (Math.max(0, now - at) * rate.limit) / rate.perMs;
  return {
    rate: { ...rate, available: Math.max(0, Math.floor(Math.min(room, refilled))), holders },
  };
}

function perKeyOf(
  { perKey }: QueueControls,
  permits: readonly LockView[],
): Pick<QueueLimits, "perKey"> {
  if (perKey === undefined && permits.length === 0) return {};
  const holders = permits.map(({ name, holder, since }) => ({
    key: name.slice(name.indexOf("/", KEY_PERMITS.length) + 1, name.lastIndexOf("/")),
    holder,
    ...defined({ since }),
  }));
  return { perKey: { ...perKey, holders } };
}

/** `queue-cap/<queue>/<permit>` and `cap/<queue>/<key>/<permit>`. */
function queueOfPermit({ name }: LockView): string {
  const from = name.indexOf("/") + 1;
  return name.slice(from, name.indexOf("/", from));
}
