import { type HeldLock, type LockStore, withOwn } from "@millrace/core";
import { spoilt } from "./spoilt-realm.ts";
import { portRealm } from "./world/port-realm.ts";
import type { RealmOf } from "./world/realm.ts";

/**
 * Locks whose token stays the same for as long as one node holds them, however often it renews
 * them. Whoever was told that token by anybody can take such a lock over, also from a job that has
 * taken it over on the same node.
 *
 * @param concerns which locks, by name
 */
export function withLastingTokens(
  concerns: (name: string) => boolean,
  realmOf: RealmOf = portRealm(),
): RealmOf {
  return (timeline, network, tap) => {
    const renewals = new Map<string, HeldLock>();
    const spoiltRealm = spoilt(
      (broker) => ({ locks: lasting(broker.locks, concerns, renewals) }),
      realmOf,
    );
    return spoiltRealm(timeline, network, tap);
  };
}

/** @param renewals of all nodes: the lock as it is stored, by its name and the token that stays */
function lasting(
  locks: LockStore,
  concerns: (name: string) => boolean,
  renewals: Map<string, HeldLock>,
): LockStore {
  const own = new Map<string, number>();
  const placeOf = ({ name, token }: HeldLock): string => `${name} ${token}`;
  const stored = (lock: HeldLock): HeldLock => renewals.get(placeOf(lock)) ?? lock;
  return withOwn(locks, {
    acquire: async (name, claim) => {
      const lock = await locks.acquire(name, claim);
      if (lock !== undefined) own.set(name, lock.token);
      return lock;
    },
    renew: async (lock, claim) => {
      const renewed = await locks.renew(stored(lock), claim);
      if (concerns(lock.name) && own.get(lock.name) === lock.token) {
        renewals.set(placeOf(lock), renewed);
        return lock;
      }
      own.set(lock.name, renewed.token);
      return renewed;
    },
    release: (lock) => locks.release(stored(lock)),
  });
}
