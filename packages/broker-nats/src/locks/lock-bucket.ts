import type { HeldLock, Stoppable } from "@millrace/core";
import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { type KV, Kvm } from "@nats-io/kv";
import { subscribe } from "../connection/subscribe.ts";
import { onOneLine } from "../connection/one-line.ts";
import { untilHeard } from "../connection/until-heard.ts";
import { isWithoutStream, isWrongSequence, request } from "../jetstream-errors.ts";
import type { LockOrder } from "../lease/lock-order.ts";
import { type LockEntry, type LockValue, readLockValue } from "./lock-entry.ts";
import { fromLockKey, toLockKey } from "./lock-key.ts";
import { headersOf } from "../reads/next-message.ts";
import { openBucket } from "../documents/open-bucket.ts";
import { readSubjects } from "../reads/read-subjects.ts";
import type { ServerAccess } from "../store/server-access.ts";
import { serverNow } from "../reads/server-now.ts";

interface OpenBucket {
  readonly kv: KV;
  /** Gives up sooner than others: what a lock's holder asks is of no use when its lease is over. */
  readonly jsm: JetStreamManager;
}

const REQUEST_TIMEOUT_MS = 2_000;

/**
 * One round trip each, on the bucket that holds the locks. What any of it means is decided in
 * `locks.ts`.
 */
export class LockBucket {
  readonly #server: ServerAccess;
  readonly #bucket: string;
  readonly #options: { readonly replicas: number; readonly maxAgeMs: number };
  #opened: Promise<OpenBucket> | undefined;

  constructor(
    server: ServerAccess,
    options: { readonly replicas: number; readonly maxAgeMs: number },
  ) {
    this.#server = server;
    this.#bucket = server.names.bucket("locks");
    this.#options = options;
  }

  /**
   * @param expected the entry's revision, 0 where there is to be none
   * @returns the new revision, or undefined where another writer was first
   * @throws MillraceError; then it may be written all the same
   */
  async write(
    name: string,
    value: LockValue,
    expected: number,
    timeoutMs: number,
  ): Promise<number | undefined> {
    const { kv } = await this.#open();
    const doing = `take the lock ${name}`;
    const put = (timeout: number): Promise<number> =>
      kv.put(toLockKey(name), JSON.stringify(value), { previousSeq: expected, timeout });
    return request(doing, async () => {
      try {
        return await untilHeard(this.#server.nc, { doing, timeoutMs }, put);
      } catch (error) {
        if (isWrongSequence(error)) return undefined;
        throw error;
      }
    });
  }

  /** @param retries whether it is worth waiting for the next leader of a cluster */
  async read(name: string, retries = false): Promise<LockEntry | undefined> {
    const query = { last_by_subj: this.#subject(name) };
    const stored = await this.#ask(retries, (jsm) =>
      request(`read the lock ${name}`, () => jsm.streams.getMessage(this.#stream, query)),
    );
    if (stored === null) return undefined;
    const isMarker = headersOf(stored)["kv-operation"] !== undefined;
    return {
      name,
      revision: stored.seq,
      writtenAt: stored.time.getTime(),
      value: isMarker ? undefined : readLockValue(Buffer.from(stored.data).toString("utf8")),
    };
  }

  async readAll(): Promise<readonly LockEntry[]> {
    const { nc, jsm } = this.#server;
    const subjects = `$KV.${this.#bucket}.`;
    const entries: LockEntry[] = [];
    for (const { subject, sequence, storedAt, data, headers } of (
      await readSubjects(nc, jsm, { stream: this.#stream })
    ).values())
      if (headers["kv-operation"] === undefined)
        entries.push({
          name: fromLockKey(subject.slice(subjects.length)),
          revision: sequence,
          writtenAt: storedAt,
          value: readLockValue(Buffer.from(data).toString("utf8")),
        });
    return entries;
  }

  /**
   * Removes the entry if it still has this revision: a purge of the key's messages up to it. Unlike
   * a deletion by KV it leaves no marker, so that the next holder's first write finds nothing in
   * its way.
   *
   * @returns whether it was there
   */
  async remove(name: string, revision: number): Promise<boolean> {
    const range = { filter: this.#subject(name), seq: revision + 1 };
    const { purged } = await this.#ask(true, (jsm) =>
      request(`release the lock ${name}`, () => jsm.streams.purge(this.#stream, range)),
    );
    return purged > 0;
  }

  /** The same write, for the thread that makes it while this one can't. */
  orderFor({ name, token }: HeldLock, value: LockValue): LockOrder {
    return {
      subject: this.#subject(name),
      stream: this.#stream,
      token,
      value: JSON.stringify(value),
      write: value.write,
    };
  }

  announceRelease(name: string): void {
    this.#server.nc.publish(this.#server.names.lockReleased(toLockKey(name)));
  }

  async onRelease(name: string, listener: () => void): Promise<Stoppable> {
    const { nc, names } = this.#server;
    // Not retried, and no problem is reported: a waiter looks by itself now and then.
    return subscribe(
      { nc, retrying: nc },
      {
        subject: names.lockReleased(toLockKey(name)),
        doing: `listen to the lock ${name}`,
        hear: listener,
      },
    );
  }

  /** Epoch milliseconds by the clock that dates the entries. */
  serverNow(retries = false): Promise<number> {
    return this.#ask(retries, (jsm) => serverNow(jsm, this.#stream));
  }

  async #ask<T>(retries: boolean, question: (jsm: JetStreamManager) => Promise<T>): Promise<T> {
    // Whoever looks waits for a leader, and makes no bucket.
    const jsm = retries ? this.#server.jsm : (await this.#open()).jsm;
    try {
      return await question(jsm);
    } catch (error) {
      // It was removed under way, and who takes a lock next makes it anew. Where a member of a
      // cluster only doesn't know it, it is found then.
      if (isWithoutStream(error)) this.#opened = undefined;
      throw error;
    }
  }

  #subject(name: string): string {
    return `$KV.${this.#bucket}.${toLockKey(name)}`;
  }

  get #stream(): string {
    return `KV_${this.#bucket}`;
  }

  #open(): Promise<OpenBucket> {
    this.#opened ??= this.#openAnew().catch((error: unknown) => {
      // A failure is not kept: the next call tries again.
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }

  async #openAnew(): Promise<OpenBucket> {
    const { nc, retrying } = this.#server;
    await openBucket(this.#server, this.#bucket, this.#options);
    const [kv, jsm] = await Promise.all([
      new Kvm(retrying).open(this.#bucket),
      jetstreamManager(onOneLine(nc), { checkAPI: false, timeout: REQUEST_TIMEOUT_MS }),
    ]);
    return { kv, jsm };
  }
}
