import { encodeMsgpack, MillraceError, planJob, UNSETTLED, writeEnvelope } from "@millrace/core";
import { createClient } from "../../../packages/millrace/src/client/client.ts";
import type { Millrace } from "../../../packages/millrace/src/client/millrace.ts";
import type { JobHandle } from "../../../packages/millrace/src/client/jobs/job-handle.ts";
import { type Dice, oneOf } from "../engine/dice.ts";
import { SimProcess, WORLD_BEGAN } from "../engine/process.ts";
import type { Timeline } from "../engine/timeline.ts";
import { againOf } from "../oracle/turns.ts";
import { GIVEN_UP, insist, sleep } from "./insist.ts";
import { JOBS, QUEUES } from "./jobs.ts";
import type { Entry, Ledger } from "./ledger.ts";
import type { Realm } from "./realm.ts";
import { sendSignals } from "./signaller.ts";
import type { Plan } from "./workload.ts";

export interface ProducerOptions {
  readonly timeline: Timeline;
  readonly realm: Realm;
  readonly ledger: Ledger;
  readonly dice: Dice;
}

const AGAIN_MS = 1_000;
const TRIES = 120;
const PATIENCE = "20m";
/**
 * A queue remembers an id for two minutes, and a try is on its way for up to half a minute: who
 * repeats an enqueue later than this after the first try may enqueue another job (docs/reliability,
 * "Copies made after the dedupe window").
 */
const SAFE_AGAIN_MS = 85_000;
/** Of all worlds. */
const OPERATED = 0.25;

/**
 * Whoever enqueues, in a process of its own that only its line and the server can fail. Repeats
 * what it does not know with the same id.
 */
export class ProducerProcess {
  readonly process: SimProcess;
  readonly #options: ProducerOptions;
  #connected: Millrace | undefined;

  constructor(options: ProducerOptions) {
    this.#options = options;
    this.process = new SimProcess("producer", options.timeline);
  }

  get #client(): Millrace {
    if (this.#connected === undefined) throw new Error("Plans are carried out on a connection.");
    return this.#connected;
  }

  async #connect(): Promise<void> {
    const broker = this.#options.realm.brokerFor(this.process);
    let ids = 0;
    this.#connected = createClient(
      broker instanceof Promise ? await broker : broker,
      this.process.clock,
      { newId: () => `made-${(ids += 1)}` },
    );
  }

  /** @returns once every plan is known to have been carried out, or refused */
  async carryOut(plans: readonly Plan[]): Promise<void> {
    await this.#connect();
    for (const queue of QUEUES) await this.#insist(() => this.#client.broker.queues.ensure(queue));
    await Promise.all([...plans.map((plan) => this.#begin(plan)), this.#operate()]);
  }

  /** In some worlds an operator pauses queues, and resumes them. */
  async #operate(): Promise<void> {
    const { dice } = this.#options;
    if (dice("operator") >= OPERATED) return;
    for (const queue of QUEUES) {
      if (dice(`pause ${queue}`) < 0.5) continue;
      await this.#sleep(dice(`pause ${queue} after`) * 15_000);
      await this.#insist(() => this.#client.queues.pause(queue));
      await this.#sleep(dice(`pause ${queue} for`) * 10_000);
      await this.#insist(() => this.#client.queues.resume(queue));
    }
  }

  async #begin(plan: Plan): Promise<void> {
    await this.#sleep(Math.max(0, plan.atMs - this.#options.timeline.nowMs));
    switch (plan.kind) {
      case "job":
        return this.#twice(plan, (...once) => this.#enqueue(...once));
      case "chain":
        return this.#twice(plan, (...once) => this.#chain(...once));
      case "batch":
        return this.#batch(plan);
      case "hostile":
        return this.#attack(plan);
    }
  }

  /** Enqueues it and, where its id is used again, the other job of that id, or a copy. */
  async #twice(
    { again, ...plan }: Plan,
    enqueue: (plan: Plan, as: string, mayTryAgain: () => boolean) => Promise<boolean>,
  ): Promise<void> {
    const { name } = plan;
    const first = this.#soon();
    // Its id is a key for as long as it is on record: however late, what is sent again is the same.
    if (!(await enqueue(plan, name, () => true)) || again === undefined) return;
    await this.#sleep(again.afterMs);
    const isCopy = again.is === "copy";
    if (isCopy && !first()) return;
    // A server that was killed has forgotten ids: a copy may be another message for it.
    if (isCopy && this.#options.ledger.entries.some(isCrash)) return;
    if (isCopy) await enqueue(plan, name, first);
    else await enqueue({ ...plan, script: again.script }, againOf(name), this.#soon());
  }

  /** Whether what is sent now under the same id as from here on is the same job. */
  #soon(): () => boolean {
    const { timeline } = this.#options;
    const sinceMs = timeline.nowMs;
    return () => timeline.nowMs - sinceMs < SAFE_AGAIN_MS;
  }

  /**
   * @param as its name: others may have its id
   * @returns whether it is there
   */
  async #enqueue(plan: Plan, as: string, mayTryAgain: () => boolean): Promise<boolean> {
    const { ledger } = this.#options;
    const { name, job, script, delayMs, lane, awaited, cancelAfterMs, kind } = plan;
    const definition = JOBS[job];
    ledger.note({ is: "planned", job: as, kind: `${kind} ${job}`, queue: definition.queue });
    let calls = 0;
    const handle = await this.#insist(
      () => {
        calls += 1;
        if (calls > 1) ledger.note({ is: "sent-again", job: as });
        return this.#client.enqueue(definition, script, {
          id: name,
          // Another job under an id that was another's.
          ...(as === name ? {} : { once: false }),
          ...(delayMs > 0 ? { delay: delayMs } : {}),
          priority: lane,
        });
      },
      as,
      mayTryAgain,
    );
    if (handle === undefined) return false;
    // Where its key is held, the handle is another job's, also one of its own id, and this one was
    // not enqueued.
    const isHeldByItsId = job === "unique" && as !== name && handle.duplicate;
    if (handle.id !== name || isHeldByItsId) {
      ledger.note({ is: "refused", job: as, code: "unique" });
      return false;
    }
    ledger.note({ is: "confirmed", job: as, duplicate: handle.duplicate });
    if (handle.conflict?.kind === "replaced")
      ledger.note({ is: "replaced", job: handle.conflict.id, by: as });
    if (awaited) void this.#await(as, handle);
    if (cancelAfterMs !== undefined) void this.#cancel(handle, cancelAfterMs);
    const { dice } = this.#options;
    await sendSignals({ client: this.#client, process: this.process, ledger, dice }, plan);
    return true;
  }

  async #chain(
    { name, job, script, parts, lane }: Plan,
    as: string,
    mayTryAgain: () => boolean,
  ): Promise<boolean> {
    const { ledger } = this.#options;
    const first = JOBS[job === "unique" ? "link" : job];
    const { length: links } = parts;
    ledger.note({ is: "planned", job: as, kind: "chain", queue: first.queue, links });
    const handle = await this.#insist(
      () => {
        let chain = this.#client.chain(first, script, {
          id: name,
          // Another chain under an id that was another's.
          ...(as === name ? {} : { once: false }),
          priority: lane,
        });
        for (const part of parts) chain = chain.next(JOBS[part.job]);
        return chain.enqueue();
      },
      as,
      mayTryAgain,
    );
    if (handle === undefined) return false;
    ledger.note({ is: "confirmed", job: as, duplicate: false });
    return true;
  }

  async #batch({ name, parts }: Plan): Promise<void> {
    const { ledger } = this.#options;
    const members = parts.map((part, index) => ({ ...part, id: `${name}-m${index}` }));
    ledger.note({ is: "batch-made", batch: name, members: members.map(({ id }) => id) });
    for (const { id, job } of members)
      ledger.note({ is: "planned", job: id, kind: `member ${job}`, queue: JOBS[job].queue });
    for (let tries = 0; tries < TRIES; tries += 1) {
      const handle = await this.#insist(
        () =>
          this.#client.batch(
            members.map(({ id, job, script }) =>
              planJob(JOBS[job === "unique" ? "plain" : job], script, { id }),
            ),
            { id: name, callback: { job: JOBS.callback as never, input: null } },
          ),
        `${name}:callback`,
      );
      if (handle === undefined) return;
      const unknown = handle.refused.filter(({ error }) => isUnknown(error));
      for (const { id, error } of handle.refused)
        if (!isUnknown(error)) ledger.note({ is: "refused", job: id, code: error.code });
      if (unknown.length === 0) {
        for (const { id } of handle.jobs)
          ledger.note({ is: "confirmed", job: id, duplicate: false });
        return ledger.note({ is: "confirmed", job: `${name}:callback`, duplicate: false });
      }
      await this.#sleep(AGAIN_MS);
    }
  }

  async #await(job: string, handle: JobHandle<unknown>): Promise<void> {
    const { ledger } = this.#options;
    try {
      const output = await handle.result({ timeout: PATIENCE });
      ledger.note({ is: "told", job, state: "succeeded", output });
    } catch (error) {
      const code = MillraceError.is(error) ? error.code : String(error);
      ledger.note({ is: "told", job, state: code, output: undefined });
    }
  }

  async #cancel(handle: JobHandle<unknown>, afterMs: number): Promise<void> {
    await this.#sleep(afterMs);
    this.#options.ledger.note({ is: "asked", what: "cancel", of: handle.id });
    const result = await this.#insist(() => handle.cancel());
    if (result !== undefined)
      this.#options.ledger.note({ is: "cancelled", job: handle.id, state: result.state });
  }

  /** A foreign program that may publish to the queue `shop` alone, and writes whatever it likes. */
  async #attack({ name }: Plan): Promise<void> {
    const { realm, dice, ledger } = this.#options;
    const way = oneOf(dice, `${name} way`, ["next", "batch", "message-id", "fields"]);
    const victim = `j${Math.floor(dice(`${name} victim`) * 40)}`;
    ledger.note({ is: "planned", job: name, kind: `hostile ${way} ${victim}`, queue: "shop" });
    const base = {
      ...UNSETTLED,
      id: name,
      name: "shop",
      queue: "shop",
      payload: { fails: 0, snoozes: 0, runMs: 5, deaf: false, charges: false, key: "none" },
      createdAt: WORLD_BEGAN,
      headers: {},
    };
    const headers = { "content-type": "application/msgpack" };
    const publish = (messageId: string, body: Uint8Array): void =>
      realm.publishForeign({
        queue: "shop",
        messageId,
        body,
        headers: { ...headers, "nats-msg-id": messageId },
      });
    switch (way) {
      case "next": {
        const next = [{ name: "money", queue: "money", id: `${victim}-stolen` }];
        return publish(name, writeEnvelope({ ...base, next }));
      }
      case "batch":
        return publish(
          `${victim}-m0`,
          writeEnvelope({ ...base, id: `${victim}-m0`, batch: victim }),
        );
      case "message-id":
        return publish(`millrace/${victim}/1`, encodeMsgpack("junk"));
      case "fields":
        return publish(
          name,
          writeEnvelope({ ...base, generation: 2 ** 40, attempts: 3, cancelled: "forged" }),
        );
    }
  }

  async #insist<T>(
    act: () => Promise<T>,
    job?: string,
    mayTryAgain?: () => boolean,
  ): Promise<T | undefined> {
    const end = await insist(this.process.clock, act, mayTryAgain);
    if (end.ok) return end.value;
    if (job !== undefined && end.code !== GIVEN_UP)
      this.#options.ledger.note({ is: "refused", job, code: end.code });
    return undefined;
  }

  #sleep(ms: number): Promise<void> {
    return sleep(this.process.clock, ms);
  }
}

function isCrash(entry: Entry): boolean {
  return entry.is === "fault" && entry.kind.startsWith("crash");
}

function isUnknown(error: MillraceError): boolean {
  return error.code === "publish-timeout" || error.code === "request-timeout";
}
