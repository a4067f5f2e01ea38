import type { NatsConnection } from "@nats-io/nats-core";
import { afterEach, expect, test, vi } from "vitest";
import type { ServerAccess } from "../store/server-access.ts";
import { LockBucket } from "./lock-bucket.ts";
import type { LockEntry } from "./lock-entry.ts";
import { NatsLocks } from "./locks.ts";

const CLAIM = { holder: "a", leaseMs: 60_000 };

afterEach(() => vi.restoreAllMocks());

/** A lock under token 7, whose renewals are refused, and what is read of it then. */
async function refused(read: Pick<LockEntry, "revision"> | undefined) {
  const server = { nc: {} as NatsConnection, names: { bucket: (name: string) => name } };
  const locks = new NatsLocks(server as unknown as ServerAccess, 3, () => undefined);
  const write = vi.spyOn(LockBucket.prototype, "write").mockResolvedValueOnce(7);
  const lock = await locks.acquire("it", CLAIM);
  write.mockResolvedValue(undefined);
  const entry = { name: "it", writtenAt: 1, value: undefined };
  vi.spyOn(LockBucket.prototype, "read").mockResolvedValue(read && { ...entry, ...read });
  if (lock === undefined) throw new Error("the lock is free and was not given");
  return locks.renew(lock, CLAIM);
}

test("a lock is lost where another's entry is there since, or none", async () => {
  await expect(refused({ revision: 9 })).rejects.toMatchObject({ code: "lock-lost" });
  await expect(refused(undefined)).rejects.toMatchObject({ code: "lock-lost" });
});

test("an entry of before the lock is what a leader says that was replaced: nothing is known", async () => {
  await expect(refused({ revision: 6 })).rejects.toMatchObject({ code: "request-timeout" });
});
