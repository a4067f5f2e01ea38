import { randomUUID } from "node:crypto";
import {
  type HeldLock,
  LONGEST_LEASE_MS,
  type LockClaim,
  type LockStore,
  type LockView,
  MillraceError,
  requireLease,
  type Stoppable,
} from "@millrace/core";
import type { KV, KvEntry } from "@nats-io/kv";
import { asMillraceError, isWrongSequence, request } from "../jetstream-errors.ts";
import { fromLockKey, toLockKey } from "./lock-key.ts";
import { openBucket } from "./open-bucket.ts";
import { readStream } from "./read-stream.ts";
import type { ServerAccess } from "./server-access.ts";
import { readHeaders } from "../wire/read-headers.ts";

interface LockValue {
  readonly holder: string;
  readonly leaseMs: number;
  /** Made for each write, so that a writer whose confirmation was lost recognises its own. */
  readonly write: string;
}

/** What nobody holds any more is swept by the server well after the longest lease. */
const SWEEP_AGE_MS = LONGEST_LEASE_MS + 3_600_000;

/**
 * Locks in one KV bucket. The revision is the fencing token: it is the bucket's stream sequence, which only grows, over releases
 * and expiries too. A lease ends by the server's clock alone: the server's time of the write against the server's time now.
 * Every decision is a compare-and-set; what was read before only says what to compare with.
 */
export class NatsLocks implements LockStore {
  readonly #server: ServerAccess;
  readonly #bucket: string;
  readonly #replicas: number;
  #kv: Promise<KV> | undefined;

  constructor(server: ServerAccess, replicas: number) {
    this.#server = server;
    this.#bucket = server.names.bucket("locks");
    this.#replicas = replicas;
  }

  async acquire(name: string, claim: LockClaim): Promise<HeldLock | undefined> {
    const key = toLockKey(name);
    requireLease(claim.leaseMs);
    const kv = await this.#open();
    const entry = await request(`read the lock ${name}`, () => kv.get(key));
    if (entry !== null && entry.operation === "PUT" && !(await this.#hasExpired(entry)))
      return undefined;
    const token = await this.#write(kv, key, claim, entry?.revision ?? 0);
    return token === undefined ? undefined : { name, token };
  }

  async renew(lock: HeldLock, claim: LockClaim): Promise<HeldLock> {
    requireLease(claim.leaseMs);
    const token = await this.#write(await this.#open(), toLockKey(lock.name), claim, lock.token);
    if (token !== undefined) return { name: lock.name, token };
    throw new MillraceError(
      "lock-lost",
      `The lock ${lock.name} is no longer held under token ${lock.token}: another holder took it, or it was released. Stop what it protects.`,
    );
  }

  async release(lock: HeldLock): Promise<boolean> {
    const kv = await this.#open();
    try {
      await kv.delete(toLockKey(lock.name), { previousSeq: lock.token });
      return true;
    } catch (error) {
      if (isWrongSequence(error)) return false;
      throw asMillraceError(error, `release the lock ${lock.name}`);
    }
  }

  async look(name: string): Promise<LockView | undefined> {
    const key = toLockKey(name);
    const kv = await this.#open();
    const entry = await request(`read the lock ${name}`, () => kv.get(key));
    if (entry === null || entry.operation !== "PUT") return undefined;
    const now = await this.#serverNow();
    return viewOf(name, entry.revision, readValue(entry.string()), entry.created.getTime(), now);
  }

  async list(prefix = ""): Promise<readonly LockView[]> {
    await this.#open();
    const subjects = `$KV.${this.#bucket}.`;
    const now = await this.#serverNow();
    const locks: LockView[] = [];
    const range = { stream: `KV_${this.#bucket}`, filter: `${subjects}>` };
    for await (const { subject, sequence, storedAt, data, headers } of readStream(
      this.#server.nc,
      this.#server.jsm,
      range,
    )) {
      if (headers["kv-operation"] !== undefined) continue;
      const name = fromLockKey(subject.slice(subjects.length));
      if (!name.startsWith(prefix)) continue;
      const value = readValue(Buffer.from(data).toString("utf8"));
      const view = viewOf(name, sequence, value, storedAt, now);
      if (view !== undefined) locks.push(view);
    }
    return locks.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async onRelease(name: string, listener: () => void): Promise<Stoppable> {
    const subject = `$KV.${this.#bucket}.${toLockKey(name)}`;
    const { nc } = this.#server;
    return request(`watch the lock ${name}`, async () => {
      const subscription = nc.subscribe(subject, {
        // An error ends the subscription, which is told by the connection's own events.
        callback: (error, message) => {
          if (error === null && readHeaders(message)["kv-operation"] !== undefined) listener();
        },
      });
      try {
        await nc.flush();
      } catch (error) {
        subscription.unsubscribe();
        throw error;
      }
      return { stop: async () => subscription.unsubscribe() };
    });
  }

  /** @returns the new token, or undefined where another writer was first */
  async #write(
    kv: KV,
    key: string,
    claim: LockClaim,
    expected: number,
  ): Promise<number | undefined> {
    const value: LockValue = { ...claim, write: randomUUID() };
    const bytes = JSON.stringify(value);
    try {
      return await (expected === 0 ? kv.create(key, bytes) : kv.update(key, bytes, expected));
    } catch (error) {
      if (isWrongSequence(error)) return undefined;
      // It may be stored all the same, and then only its writer can know: nobody else would renew or release it.
      const entry = await request(`take the lock ${key}`, () => kv.get(key));
      if (entry?.operation === "PUT" && readValue(entry.string())?.write === value.write)
        return entry.revision;
      throw asMillraceError(error, `take the lock ${key}`);
    }
  }

  async #hasExpired(entry: KvEntry): Promise<boolean> {
    const value = readValue(entry.string());
    // Something that is no lock blocks nobody for longer than a lock could.
    const leaseMs = value?.leaseMs ?? LONGEST_LEASE_MS;
    return (await this.#serverNow()) - entry.created.getTime() >= leaseMs;
  }

  #serverNow(): Promise<number> {
    return request("read the server's time", async () => {
      const { ts } = await this.#server.jsm.streams.info(`KV_${this.#bucket}`);
      const now = Date.parse(ts ?? "");
      if (Number.isNaN(now))
        throw new MillraceError(
          "server-too-old",
          "The server does not tell its time. Upgrade nats-server to 2.10 or newer.",
        );
      return now;
    });
  }

  #open(): Promise<KV> {
    this.#kv ??= openBucket(this.#server.nc, this.#bucket, {
      replicas: this.#replicas,
      maxAgeMs: SWEEP_AGE_MS,
    }).catch((error: unknown) => {
      // A failure is not kept: the next call tries again.
      this.#kv = undefined;
      throw error;
    });
    return this.#kv;
  }
}

function viewOf(
  name: string,
  token: number,
  value: LockValue | undefined,
  writtenAt: number,
  now: number,
): LockView | undefined {
  // Something that is no lock blocks nobody for longer than a lock could.
  const { holder, leaseMs } = value ?? { holder: "unknown", leaseMs: LONGEST_LEASE_MS };
  const leftMs = writtenAt + leaseMs - now;
  return leftMs > 0 ? { name, holder, token, leaseMs, leftMs } : undefined;
}

function readValue(text: string): LockValue | undefined {
  try {
    const value = JSON.parse(text) as Partial<LockValue> | null;
    if (
      typeof value?.leaseMs !== "number" ||
      typeof value.holder !== "string" ||
      typeof value.write !== "string"
    )
      return undefined;
    return { holder: value.holder, leaseMs: value.leaseMs, write: value.write };
  } catch {
    return undefined;
  }
}
