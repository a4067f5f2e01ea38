import {
  MillraceError,
  readScheduleState,
  readStoredSchedule,
  SCHEDULE_STATE,
  SCHEDULES,
  type StoredDeadLetter,
} from "@millrace/core";
import { createClient } from "../../../packages/millrace/src/client/client.ts";
import type { Millrace } from "../../../packages/millrace/src/client/millrace.ts";
import { SimProcess, WORLD_BEGAN } from "../engine/process.ts";
import type { Timeline } from "../engine/timeline.ts";
import { REMOVED } from "../oracle/judge-ends.ts";
import { insist, sleep } from "./insist.ts";
import { JOBS } from "./jobs.ts";
import type { Ledger } from "./ledger.ts";
import { payloadOfLetter } from "./letter-life.ts";
import type { Order, Renewal } from "./orders.ts";
import type { Realm } from "./realm.ts";

export interface OperatorOptions {
  readonly timeline: Timeline;
  readonly realm: Realm;
  readonly ledger: Ledger;
  readonly orders: readonly Order[];
}

/**
 * Somebody at a terminal, in a process of its own that only its line and the server can fail. Does
 * again what did not work.
 */
export class Operator {
  readonly process: SimProcess;
  readonly #options: OperatorOptions;
  #connected: Promise<Millrace> | undefined;
  #purges = 0;

  constructor(options: OperatorOptions) {
    this.#options = options;
    this.process = new SimProcess("operator", options.timeline);
  }

  /**
   * What must be in force before any node is there; undefined where there is nothing of that kind.
   */
  get preparation(): (() => Promise<unknown>) | undefined {
    const limits = this.#options.orders.filter(({ kind }) => kind === "limit");
    if (limits.length === 0) return undefined;
    return () => Promise.all(limits.map((order) => this.#carryOut(order)));
  }

  /** @returns once every order is known to have been carried out */
  async carryOut(): Promise<void> {
    const orders = this.#options.orders.filter(({ kind }) => kind !== "limit");
    await Promise.all(orders.map((order) => this.#carryOut(order)));
  }

  async #carryOut(order: Order): Promise<void> {
    switch (order.kind) {
      case "limit": {
        const { queue, limits } = order;
        await this.#insist(async ({ queues }) => {
          await queues.ensure(queue);
          await queues.set(queue, limits);
        });
        const { concurrency, rate, maxParked } = limits;
        const perMs = rate === undefined ? 0 : Number.parseInt(rate.per, 10);
        return this.#options.ledger.note({
          ...{ is: "limited", queue, concurrency, maxParked },
          rate: rate === undefined ? undefined : { limit: rate.limit, perMs },
        });
      }
      case "purge":
        return this.#purge(order.queue, order.atMs);
      case "retry":
        return this.#retry(order.queue, order.atMs);
      case "edit":
        return this.#edit(order.queue, order.atMs);
      case "schedule":
        return this.#endSchedule(order);
      case "renew":
        return this.#renew(order);
    }
  }

  async #purge(queue: string, atMs: number): Promise<void> {
    await this.#until(atMs);
    this.#options.ledger.note({ is: "asked", what: "purge", of: queue });
    await this.#insist(({ queues }) =>
      queues.purge(queue, { name: `purge-${(this.#purges += 1)}` }),
    );
    this.#options.ledger.note({ is: "purged", queue });
    // A purge that failed may have left the queue paused.
    await this.#insist(({ queues }) => queues.resume(queue));
  }

  async #retry(queue: string, atMs: number): Promise<void> {
    await this.#until(atMs);
    const { ledger } = this.#options;
    await this.#insist(async ({ dead }) => {
      ledger.note({ is: "asked", what: "retry", of: queue });
      const results = await dead.retry({ queue });
      for (const result of results)
        if (result.ok) ledger.note({ is: "retried", job: result.id, queue: result.queue });
      const failed = results.find(
        (result) => !result.ok && result.error.code !== "unique-conflict",
      );
      if (failed !== undefined && !failed.ok && isOfTime(failed.error.code)) throw failed.error;
    });
  }

  async #edit(queue: string, atMs: number): Promise<void> {
    await this.#until(atMs);
    const { ledger } = this.#options;
    await this.#insist(async ({ dead }) => {
      for (const letter of await dead.list({ queue })) {
        ledger.note({ is: "asked", what: "retry", of: queue });
        try {
          await dead.edit(letter.id, mendedPayload(letter), { queue });
          ledger.note({ is: "retried", job: letter.id, queue });
        } catch (error) {
          // Its key is another's, or somebody else was quicker.
          if (!MillraceError.is(error) || isOfTime(error.code)) throw error;
        }
      }
    });
  }

  async #renew({ jobs, atMs, usedMs, runMs }: Renewal): Promise<void> {
    const { queue } = JOBS.renewed;
    await this.#until(atMs - usedMs);
    await this.#insist(({ queues }) => queues.ensure(queue));
    await this.#fill("before", jobs, runMs.before);
    await sleep(this.process.clock, usedMs);
    await this.#insist(({ queues }) => queues.remove(queue));
    await this.#insist(({ queues }) => queues.ensure(queue));
    await this.#fill("after", jobs, runMs.after);
  }

  async #fill(when: "before" | "after", jobs: number, runMs: number): Promise<void> {
    const { ledger } = this.#options;
    const plain = { fails: 0, snoozes: 0, deaf: true, charges: false, key: "none" };
    for (let n = 0; n < jobs; n += 1) {
      const job = `renewed-${when}-${n}`;
      const { queue } = JOBS.renewed;
      const kind = when === "before" ? REMOVED : "job renewed";
      ledger.note({ is: "planned", job, kind, queue });
      const handle = await this.#insist((client) =>
        client.enqueue(JOBS.renewed, { ...plain, runMs }, { id: job }),
      );
      if (handle !== undefined) ledger.note({ is: "confirmed", job, duplicate: handle.duplicate });
    }
  }

  async #endSchedule({ name, untilMs }: Extract<Order, { kind: "schedule" }>): Promise<void> {
    await this.#until(untilMs);
    await this.#insist(({ cron }) => cron.pause(name));
    const found = await this.#insist(async ({ broker }) => ({
      stored: await (await broker.documents(SCHEDULES)).get(name),
      state: await (await broker.documents(SCHEDULE_STATE)).get(name),
    }));
    const { pausedAt, lastTick, intent, fired, skipped } = readScheduleState(found?.state?.value);
    const { since } = readStoredSchedule(name, found?.stored?.value);
    this.#options.ledger.note({
      is: "schedule-ended",
      schedule: name,
      ...{ fired, skipped, sinceMs: since - WORLD_BEGAN },
      pausedMs: (pausedAt ?? 0) - WORLD_BEGAN,
      lastMs: (lastTick ?? 0) - WORLD_BEGAN,
      intentMs: intent === undefined ? undefined : intent.tick - WORLD_BEGAN,
    });
  }

  async #insist<T>(act: (client: Millrace) => Promise<T>): Promise<T | undefined> {
    const end = await insist(this.process.clock, async () => act(await this.#connect()));
    return end.ok ? end.value : undefined;
  }

  async #connect(): Promise<Millrace> {
    this.#connected ??= this.#client();
    try {
      return await this.#connected;
    } catch (error) {
      this.#connected = undefined;
      throw error;
    }
  }

  async #client(): Promise<Millrace> {
    const broker = await this.#options.realm.brokerFor(this.process);
    let ids = 0;
    return createClient(broker, this.process.clock, { newId: () => `operated-${(ids += 1)}` });
  }

  #until(atMs: number): Promise<void> {
    return sleep(this.process.clock, Math.max(0, atMs - this.#options.timeline.nowMs));
  }
}

/** What a chain or a batch has made is left as it is: others know it. */
function mendedPayload(letter: StoredDeadLetter): unknown {
  const payload = payloadOfLetter(letter);
  if (typeof payload !== "object" || payload === null || !("fails" in payload)) return payload;
  return { ...payload, fails: 0, brokenUntilMs: 0, runMs: 5 };
}

/** What another try may mend. */
function isOfTime(code: string): boolean {
  return code.endsWith("-timeout") || code === "connection-closed" || code === "queue-full";
}
