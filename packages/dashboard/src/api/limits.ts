import { type LockWaiter, orWhereDenied } from "@millrace/core";
import type { ShowValue } from "@millrace/telemetry/masking";
import type { FleetGate, FleetLimits } from "../fleet/fleet.ts";
import { askedLimits, askedLock, askedQueue } from "./changes/asked-limits.ts";
import type { Asking } from "./changes/changes.ts";
import type {
  GateHolderView,
  GateView,
  LimitsPageView,
  QueueLimitsView,
  LimitsView,
  LockWaitersView,
} from "./views/limits-views.ts";
import { MOST_GATES } from "./most.ts";
import type { Reading } from "./reading.ts";
import type { ChangeView } from "./views/views.ts";

const MOST_LOCKS = 500;
/** Of one lock. */
const MOST_WAITERS = 5;

export async function limits({
  fleet,
  show,
}: Pick<Reading, "fleet" | "show">): Promise<LimitsPageView> {
  const [queues, gates, locks, waiting] = await Promise.all([
    fleet.queues.limits(),
    fleet.locks.gates({ limit: MOST_GATES }),
    fleet.locks.list(),
    // Who may not ask who waits still sees who holds.
    orWhereDenied(undefined, async () =>
      Map.groupBy(await fleet.locks.waiting(), ({ name }) => name),
    ),
  ]);
  return {
    queues: queues.map(queueLimitsView),
    gates: gates.map((gate) => gateView(gate, show)),
    locks: locks.slice(0, MOST_LOCKS).map(({ name, holder, since, leaseMs, leftMs }) => ({
      ...{ name: String(show(name)), holder, leaseMs, leftMs },
      ...(since === undefined ? {} : { since }),
      ...(waiting && { waiting: waitersOf(waiting.get(name) ?? []) }),
    })),
    moreLocks: Math.max(0, locks.length - MOST_LOCKS),
  };
}

function waitersOf(waiting: readonly LockWaiter[]): LockWaitersView {
  return {
    count: waiting.length,
    first: waiting.slice(0, MOST_WAITERS).map(({ holder, since }) => ({ holder, since })),
  };
}

export function limitsView({ concurrency, rate, perKey }: FleetLimits): LimitsView {
  return {
    ...(concurrency?.limit === undefined ? {} : { concurrency: concurrency.limit }),
    // Always in the same order: none moves because another has come.
    holders: (concurrency?.holders ?? [])
      .map(({ holder, count, since }) => ({
        ...{ holder, count },
        ...(since === undefined ? {} : { since }),
      }))
      .sort((a, b) => (a.holder < b.holder ? -1 : 1)),
    ...(rate === undefined
      ? {}
      : { rate: { limit: rate.limit, perMs: rate.perMs, available: rate.available } }),
    ...(perKey === undefined
      ? {}
      : {
          perKey: {
            ...(perKey.concurrency === undefined ? {} : { concurrency: perKey.concurrency }),
            ...(perKey.rate === undefined ? {} : { rate: perKey.rate }),
          },
        }),
  };
}

function queueLimitsView(of: FleetLimits): QueueLimitsView {
  const { queue, perKey, size } = of;
  return {
    ...{ queue, keys: new Set(perKey?.holders.map(({ key }) => key)).size },
    ...limitsView(of),
    ...(size === undefined
      ? {}
      : {
          size: {
            jobs: size.jobs,
            ...(size.maxJobs === undefined ? {} : { maxJobs: size.maxJobs }),
          },
        }),
  };
}

/** A gate's name holds a key, which a producer wrote. */
export function gateView({ queue, gate, jobs, next, held }: FleetGate, show: ShowValue): GateView {
  return {
    ...{ queue, gate: String(show(gate)), jobs },
    ...(next === undefined ? {} : { next: { id: next.id, name: next.name, since: next.since } }),
    holders: holdersOf(held),
  };
}

/** Each once, with its first. */
function holdersOf(held: FleetGate["held"]): readonly GateHolderView[] {
  const holders = new Map<string, GateHolderView>();
  for (const { holder, since } of held) {
    const before = holders.get(holder)?.since;
    const first = Math.min(...[before, since].filter((at) => at !== undefined));
    holders.set(holder, { holder, ...(first === Infinity ? {} : { since: first }) });
  }
  return [...holders.values()];
}

export async function setLimits(queue: string, { fleet, user, body }: Asking): Promise<ChangeView> {
  const change = askedLimits(body);
  await fleet.audit.perform(
    {
      ...{ action: "queues set", by: user.name },
      filter: { queue, set: JSON.stringify(change) },
    },
    () => fleet.queues.set(queue, change),
  );
  return { count: 1, failed: [] };
}

/** One that is there stays, and takes as much as was given. */
export async function createQueue({ fleet, user, body }: Asking): Promise<ChangeView> {
  const { queue, settings } = askedQueue(body);
  const isNew = !(await fleet.queues.list()).some((one) => one.queue === queue);
  await fleet.audit.perform(
    {
      ...{ action: "queues create", by: user.name },
      filter: { queue, set: JSON.stringify(settings) },
    },
    () => fleet.queues.ensure(queue, settings),
    () => ({ count: isNew ? 1 : 0 }),
  );
  return { count: isNew ? 1 : 0, failed: [] };
}

export async function releaseLock({ fleet, show, user, body }: Asking): Promise<ChangeView> {
  const asked = askedLock(body);
  const { holder } = asked;
  const name = await lockCalled(asked, fleet, show);
  if (name === undefined) return { count: 0, failed: [{ id: asked.name, message: ALIKE }] };
  const released = await fleet.audit.perform(
    { action: "locks release", filter: { name, holder }, by: user.name },
    () => fleet.locks.release(name, { holder }),
    (lock) => ({ count: lock === undefined ? 0 : 1 }),
  );
  if (released !== undefined) return { count: 1, failed: [] };
  return {
    count: 0,
    failed: [{ id: asked.name, message: `${holder} does not hold it any more.` }],
  };
}

const ALIKE =
  "More than one lock of this holder looks like that once it is masked: release it with millrace locks release.";

/** The page knows a lock by its masked name. @returns undefined where that is no one's alone */
async function lockCalled(
  { name, holder }: { readonly name: string; readonly holder: string },
  fleet: Asking["fleet"],
  show: ShowValue,
): Promise<string | undefined> {
  const held = (await fleet.locks.list()).filter((lock) => lock.holder === holder);
  if (held.some((lock) => lock.name === name)) return name;
  const [only, ...others] = held.filter((lock) => String(show(lock.name)) === name);
  return others.length > 0 ? undefined : (only?.name ?? name);
}
