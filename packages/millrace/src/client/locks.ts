import {
  type Broker,
  type LockView,
  type LockWaiter,
  optionNames,
  refuseUnknown,
  requireLockName,
  requireLimit,
  requireQueueName,
  someAtATime,
} from "@millrace/core";
import { among, type CallLimits, LIMITS, type LimitsPlaces } from "./call-limits.ts";
import { locksAtGate } from "./gate-locks.ts";

/** A gate at which jobs of a queue are blocked, and who has what they wait for. */
export interface GateStatus {
  readonly queue: string;
  /** `singleton/report`, `cap/mail/ada`, `rate/mail/ada`. It holds the key in full. */
  readonly gate: string;
  /** Jobs that wait there. */
  readonly jobs: number;
  /** The job that comes next. */
  readonly next?: { readonly id: string; readonly name: string; readonly since: number };
  /** Locks that have to come free first; none of a rate, whose start is a matter of time. */
  readonly held: readonly LockView[];
}

/** Locks that are held now, whoever holds them, and what waits because of it. */
export interface Locks {
  /**
   * By name: `user/` those of `millrace.lock`, `leader/`, `singleton/`, `cap/` and `queue-cap/`
   * those of the runtime. Reads all locks: for looking, not for working.
   */
  list(query?: { readonly prefix?: string } & CallLimits): Promise<readonly LockView[]>;
  /**
   * Who waits for a lock in a process, by the lock's name, and who has waited longest first: calls
   * of `millrace.lock`, and nodes that would lead. Each waiter is asked, for 0.3 s at most, and
   * nothing is stored: one that is frozen or cut off is missing. Jobs that wait are at `gates`.
   *
   * @throws MillraceError `permission-denied` without the right to publish and subscribe to
   *   `<ns>.ctl.>`
   * @example
   * const [first] = await millrace.locks.waiting({ prefix: "user/invoices" });
   * if (first) console.log(`${first.holder} has waited since ${new Date(first.since)}`);
   */
  waiting(query?: { readonly prefix?: string } & CallLimits): Promise<readonly LockWaiter[]>;
  /**
   * Gates at which jobs are blocked, of one queue or of all, those with the most jobs first. At
   * most `limit` of them (100); `Infinity`: all.
   */
  gates(
    query?: { readonly queue?: string; readonly limit?: number } & CallLimits,
  ): Promise<readonly GateStatus[]>;
  /**
   * Frees a lock whose holder is gone for good. A living holder finds out at its next renewal,
   * within a third of its lease. Until then two may believe that they hold it.
   *
   * @param options.holder only from this one, who may renew meanwhile. Default: whoever has it now
   * @returns what was released; undefined where nobody has it, or another than `holder`
   * @throws MillraceError `invalid-name`
   * @example
   * await millrace.locks.release("user/invoices", { holder: "web-1:4711" });
   */
  release(
    name: string,
    options?: { readonly holder?: string } & CallLimits,
  ): Promise<LockView | undefined>;
}

const LIST_NAMES = optionNames<NonNullable<Parameters<Locks["list"]>[0]>>({
  ...{ prefix: true, ...LIMITS },
});
const WAITING_NAMES = optionNames<NonNullable<Parameters<Locks["waiting"]>[0]>>({
  ...{ prefix: true, ...LIMITS },
});
const GATES_NAMES = optionNames<NonNullable<Parameters<Locks["gates"]>[0]>>({
  ...{ queue: true, limit: true, ...LIMITS },
});
const RELEASE_NAMES = optionNames<NonNullable<Parameters<Locks["release"]>[1]>>({
  ...{ holder: true, ...LIMITS },
});
export const LOCKS_LIMITS: LimitsPlaces<Locks> = {
  ...{ list: among(0), waiting: among(0), gates: among(0), release: among(1) },
};
/** Each round the holder has to renew between the look and the release. */
const ROUNDS = 5;

export function locksOf(broker: Broker): Locks {
  const { locks } = broker;
  return {
    list: async (query = {}) => {
      refuseUnknown(query, LIST_NAMES, "locks.list()");
      return locks.list(query.prefix);
    },
    waiting: async (query = {}) => {
      refuseUnknown(query, WAITING_NAMES, "locks.waiting()");
      const { prefix } = query;
      return (await locks.waiting?.(prefix === undefined ? {} : { prefix })) ?? [];
    },
    gates: async (query = {}) => {
      refuseUnknown(query, GATES_NAMES, "locks.gates()");
      const { queue, limit = 100 } = query;
      requireLimit(limit);
      const gates = await broker.blocked.gates(
        queue === undefined ? undefined : requireQueueName(queue),
      );
      const held = await locks.list();
      const most = gates.toSorted((a, b) => b.count - a.count).slice(0, limit);
      return someAtATime(most, async ({ queue: of, gate, count }) => {
        const [next] = await broker.blocked.list({ queue: of, gate, limit: 1 });
        return {
          ...{ queue: of, gate, jobs: count, held: locksAtGate(gate, held) },
          ...(next === undefined
            ? {}
            : {
                next: {
                  ...{ id: next.envelope.id, name: next.envelope.name },
                  since: next.storedAt,
                },
              }),
        };
      });
    },
    release: async (name, options = {}) => {
      refuseUnknown(options, RELEASE_NAMES, "locks.release()");
      requireLockName(name);
      let view = await locks.look(name);
      const holder = options.holder ?? view?.holder;
      for (let round = 0; round < ROUNDS && view?.holder === holder; round += 1) {
        if (view === undefined || (await locks.release(view))) return view;
        view = await locks.look(name);
      }
      return undefined;
    },
  };
}
