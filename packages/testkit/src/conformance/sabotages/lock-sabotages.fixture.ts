import { type HeldLock, type LockView, withOwn } from "@millrace/core";
import type { Sabotage } from "./sabotage.fixture.ts";

export const LOCK_SABOTAGES: readonly Sabotage[] = [
  {
    wrong: "a token that does not grow",
    noticedBy: "locks: one holder at a time",
    spoil: (honest) => ({
      locks: withOwn(honest.locks, {
        renew: async (lock, claim) => ({
          ...(await honest.locks.renew(lock, claim)),
          token: lock.token,
        }),
      }),
    }),
  },
  {
    wrong: "a claim that is not known again",
    noticedBy: "locks: what was done without an answer",
    spoil: (honest) => ({
      locks: withOwn(honest.locks, {
        acquire: (name, claim) => honest.locks.acquire(name, { ...claim }),
      }),
    }),
  },
  {
    wrong: "a lock that is not known again",
    noticedBy: "locks: what was done without an answer",
    spoil: (honest) => ({
      locks: withOwn(honest.locks, {
        release: (lock) => honest.locks.release({ ...lock }),
      }),
    }),
  },
  {
    wrong: "a lock that is held since its last renewal",
    noticedBy: "locks: since when one is held",
    spoil: (honest) => {
      const renewed = new Set<number>();
      return {
        locks: withOwn(honest.locks, {
          renew: async (lock, claim) => {
            const next = await honest.locks.renew(lock, claim);
            renewed.add(next.token);
            return next;
          },
          look: async (name) => {
            const seen = await honest.locks.look(name);
            return seen && renewed.has(seen.token) ? { ...seen, since: Date.now() } : seen;
          },
        }),
      };
    },
  },
  {
    wrong: "a lock that everybody gets",
    noticedBy: "locks: of many that try at once",
    spoil: (honest) => ({
      locks: withOwn(honest.locks, {
        acquire: async (name, claim) =>
          (await honest.locks.acquire(name, claim)) ?? { name, token: 1 },
      }),
    }),
  },
  {
    wrong: "a look at a lock as it was when it was acquired",
    noticedBy: "locks: a look shows",
    spoil: (honest) => {
      const first = new Map<string, HeldLock>();
      return {
        locks: withOwn(honest.locks, {
          acquire: async (name, claim) => {
            const lock = await honest.locks.acquire(name, claim);
            if (lock !== undefined) first.set(name, lock);
            return lock;
          },
          look: async (name) => {
            const seen = await honest.locks.look(name);
            return seen && { ...seen, token: first.get(name)?.token ?? seen.token };
          },
        }),
      };
    },
  },
  {
    wrong: "a list that shows leases that are over",
    noticedBy: "locks: a lease that is over is neither",
    spoil: (honest) => {
      let last: readonly LockView[] = [];
      return {
        locks: withOwn(honest.locks, {
          list: async (prefix) => {
            const now = await honest.locks.list(prefix);
            last = now.length === 0 ? last : now;
            return last;
          },
        }),
      };
    },
  },
  {
    wrong: "a list of all locks, whatever the prefix",
    noticedBy: "locks: a list shows",
    spoil: (honest) => ({ locks: withOwn(honest.locks, { list: () => honest.locks.list() }) }),
  },
  {
    wrong: "a list that shows each renewal",
    noticedBy: "locks: one that is renewed while the list is read",
    spoil: (honest) => ({
      locks: withOwn(honest.locks, {
        list: async (prefix) => {
          const locks = await honest.locks.list(prefix);
          return [...locks.slice(0, 1), ...locks];
        },
      }),
    }),
  },
  {
    wrong: "a release that nobody is told of",
    noticedBy: "locks: who listens is told",
    spoil: (honest) => ({
      locks: withOwn(honest.locks, { onRelease: async () => ({ stop: async () => {} }) }),
    }),
  },
  {
    wrong: "waiters that nobody is told of",
    noticedBy: "locks: who waits says so",
    spoil: (honest) => ({ locks: withOwn(honest.locks, { waiting: async () => [] }) }),
  },
  {
    wrong: "a listener that cannot be stopped",
    noticedBy: "locks: who stopped listening",
    spoil: (honest) => ({
      locks: withOwn(honest.locks, {
        onRelease: async (name, listener) => {
          await honest.locks.onRelease(name, listener);
          return { stop: async () => {} };
        },
      }),
    }),
  },
];
