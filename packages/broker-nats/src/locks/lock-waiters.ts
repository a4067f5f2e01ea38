import { isId, type LockWaiter, waitersInOrder } from "@millrace/core";
import { PermissionViolationError, type Subscription } from "@nats-io/nats-core";
import { watchConnection } from "../connection/connection-events.ts";
import { hearOn } from "../connection/hear-on.ts";
import { request } from "../jetstream-errors.ts";
import { machineOf } from "../machine/machine.ts";
import type { ServerAccess } from "../store/server-access.ts";
import { isNoResponders } from "../wire/no-responders.ts";
import { readObject } from "../wire/read-object.ts";
import { isTime } from "./lock-entry.ts";

export interface WaitingQuery {
  readonly prefix?: string;
  readonly withinMs?: number;
}

/** What is asked: whose names begin so, and the token of the subject where the answer goes. */
interface Question {
  readonly prefix: string;
  readonly to: string;
}

const WITHIN_MS = 300;
/** Well below any server's limit: a name has at most 507 bytes. */
const WAITERS_A_MESSAGE = 200;
/** Of one connection, those who have waited longest. */
const MOST_WAITERS = 1_000;

/**
 * Who waits for locks, told by the waiters themselves when somebody asks: whoever waits writes
 * nothing. They answer on a subject of their own choice, of which the question holds one token, so
 * that nobody has them publish elsewhere; it is one on which who takes locks may publish anyway.
 */
export class LockWaiters {
  readonly #server: Pick<ServerAccess, "nc" | "names">;
  readonly #waiting = new Set<LockWaiter>();
  #answering: Subscription | undefined;

  constructor(server: Pick<ServerAccess, "nc" | "names">) {
    this.#server = server;
  }

  /** @returns says that it waits no more. Idempotent */
  add(waiter: LockWaiter): () => void {
    const { name, holder, since } = waiter;
    const entry = { name, holder, since };
    this.#waiting.add(entry);
    // On a closed one it is the listening to the lock that is refused.
    if (!this.#server.nc.isClosed()) this.#answering ??= this.#answer();
    return () => {
      if (!this.#waiting.delete(entry) || this.#waiting.size > 0) return;
      if (!this.#server.nc.isClosed()) this.#answering?.unsubscribe();
      this.#answering = undefined;
    };
  }

  ask({ prefix = "", withinMs = WITHIN_MS }: WaitingQuery = {}): Promise<readonly LockWaiter[]> {
    const { nc, names } = this.#server;
    return request("ask who waits for locks", async () => {
      const { clock, newToken } = machineOf(nc);
      const to = newToken();
      const subject = names.lockWaiters(to);
      const waiters: LockWaiter[] = [];
      const done = Promise.withResolvers<void>();
      const sub = hearOn(nc, subject, (error, msg) => {
        if (error) return done.reject(error);
        if (isNoResponders(msg)) return done.resolve();
        waiters.push(...waitersIn(msg.string()));
      });
      const time = clock.setTimer(withinMs, done.resolve);
      // Nobody answers a publish that the server refuses.
      const unwatch = watchConnection(nc, (status) => {
        const error = status.type === "error" ? status.error : undefined;
        if (error instanceof PermissionViolationError && error.subject === names.lockWaiting)
          done.reject(error);
      });
      try {
        // The reply is for the server, which says there at once that nobody waits.
        nc.publish(names.lockWaiting, JSON.stringify({ prefix, to } satisfies Question), {
          reply: subject,
        });
        await done.promise;
      } finally {
        time.cancel();
        unwatch();
        sub.unsubscribe();
      }
      return waitersInOrder(waiters, prefix);
    });
  }

  #answer(): Subscription {
    const { nc, names } = this.#server;
    return hearOn(nc, names.lockWaiting, (error, msg) => {
      // Who may not hear the question is not among those who are known to wait.
      const question = error === null ? questionIn(msg.string()) : undefined;
      if (question === undefined) return;
      const mine = [...this.#waiting]
        .filter(({ name }) => name.startsWith(question.prefix))
        .sort((a, b) => a.since - b.since)
        .slice(0, MOST_WAITERS);
      for (let from = 0; from < mine.length; from += WAITERS_A_MESSAGE)
        nc.publish(
          names.lockWaiters(question.to),
          JSON.stringify({ waiters: mine.slice(from, from + WAITERS_A_MESSAGE) }),
        );
    });
  }
}

/** @returns undefined for what is no question */
function questionIn(body: string): Question | undefined {
  const { prefix, to } = readObject(body) ?? {};
  return typeof prefix === "string" && isId(to) ? { prefix, to } : undefined;
}

/** What is no waiter was not said by one. */
function waitersIn(body: string): readonly LockWaiter[] {
  const { waiters } = readObject(body) ?? {};
  return Array.isArray(waiters) ? waiters.flatMap((one) => waiterIn(one) ?? []) : [];
}

function waiterIn(value: unknown): LockWaiter | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { name, holder, since } = value as Readonly<Partial<Record<keyof LockWaiter, unknown>>>;
  return typeof name === "string" && typeof holder === "string" && isTime(since)
    ? { name, holder, since }
    : undefined;
}
