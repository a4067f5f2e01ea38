import {
  type Broker,
  type Envelope,
  messageIdOf,
  readEnvelope,
  UNSETTLED,
  writeEnvelope,
} from "@millrace/core";
import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { jetstream } from "@nats-io/jetstream";
import { connect, headers, type Msg, type NatsConnection } from "@nats-io/transport-node";
import { expect, it } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { describeServer, type TestServer } from "../harness/servers.ts";
import { Trial } from "./harness/trial.ts";
import { newSeed, SeededRandom } from "./oracle/seeded-random.ts";
import { JOB, QUEUE, type Work } from "./programs/work.ts";

/** Beside the queue, so that what is published to find out whether it is heard does not count. */
const PROBE = "probe";
/** The shortest that makes a difference: the server takes no less than 100 ms. */
const WINDOW_MS = 500;
const WORKS: Readonly<Record<string, Work>> = {
  good: { do: "work" },
  retried: { do: "fail", times: 2 },
  dying: { do: "fail", times: 99 },
};

describeServer("10: duplicates", "newest", (server) => {
  it("inside the dedupe window are swallowed, in any order", async () => {
    const trial = await Trial.start(server);
    const wire = await Wire.open(server, trial);
    await trial.publish(WORKS);
    for (const id of wire.random.shuffled(Object.keys(WORKS).flatMap((id) => [id, id, id]))) {
      expect(await wire.publish(firstEnvelope(id), `jobs.${QUEUE}`)).toMatchObject({
        duplicate: true,
      });
    }
    await trial.node("a");
    await trial.drained();
    expect(await trial.expectClean()).toMatchObject({
      runs: 1 + 3 + trial.maxAttempts,
      dead: 1,
      repeats: 0,
    });
  });

  it("after the window: every copy follows its own count, no attempt is over the most, and the outcome stands", async () => {
    const trial = await Trial.start(server, { dedupeWindowMs: WINDOW_MS });
    const wire = await Wire.open(server, trial);
    const over = trial.fault("everything is published again", "copied-job", "stale-effect");
    await trial.publish(WORKS);
    await trial.node("a");
    await trial.drained();

    // All that producers and nodes ever published for these jobs, again, twice each and in any
    // order.
    const seen = wire.heard.map(({ data, subject }) => ({ data, subject }));
    const heard = (door: string): number =>
      seen.filter(({ subject }) => subject.includes(`.${door}.`)).length;
    expect({ published: heard("jobs"), requeued: heard("requeue") }).toEqual({
      published: 3,
      requeued: 2 + (trial.maxAttempts - 1),
    });
    // The window is over when the last of them is taken as new.
    const last = seen.at(-1) as (typeof seen)[number];
    await eventually(async () => !(await wire.replay(last.data, last.subject)).duplicate, {
      withinMs: 30_000,
      describe: "the dedupe window is over",
    });
    for (const { data, subject } of wire.random.shuffled([...seen, ...seen]))
      await wire.replay(data, subject);
    await eventually(async () => (await trial.broker.queues.snapshot(QUEUE)).queued === 0, {
      withinMs: 30_000,
      describe: "the copies are taken",
    });
    await trial.drained();
    over();

    const counts = await trial.expectClean();
    expect(counts).toMatchObject({ succeeded: 2, dead: 1 });
    const attempts = trial.ledger.flatMap((entry) =>
      entry.event === "started" ? entry.attempt : [],
    );
    expect(Math.max(...attempts)).toBe(trial.maxAttempts);
    console.log(`${seen.length} messages replayed: ${counts.runs} runs`);
    for (const id of Object.keys(WORKS)) {
      const records = await trial.broker.history.read({ id, queue: QUEUE });
      const final = id === "dying" ? "dead" : "succeeded";
      expect(
        new Set(records.map(({ state }) => state).filter((state) => state !== "requeued")),
      ).toEqual(new Set([final]));
    }
  });
});

function firstEnvelope(id: string): Envelope {
  return {
    ...UNSETTLED,
    id,
    name: JOB,
    queue: QUEUE,
    payload: WORKS[id],
    createdAt: 0,
    headers: {},
  };
}

/** A client that isn't ours: hears what is published to the queue, and publishes it again. */
class Wire {
  readonly heard: Msg[] = [];
  readonly random: SeededRandom;
  readonly #connection: NatsConnection;
  readonly #namespace: string;

  static async open(server: TestServer, trial: Trial): Promise<Wire> {
    // Nobody sends its messages again, and a window this short is over before a new leader is asked
    // what the dead one did not answer.
    await server.calm();
    const connection = await connect({ servers: server.url });
    cleanUpLater(() => connection.close());
    const wire = new Wire(connection, trial.namespace);
    for (const door of ["jobs", "requeue"]) {
      connection.subscribe(`${trial.namespace}.${door}.${QUEUE}`, {
        callback: (_error, message) => void wire.heard.push(message),
      });
    }
    await wire.#isHeardFrom(trial.broker);
    return wire;
  }

  /**
   * The members of a cluster tell each other in order what is subscribed to: where this is heard
   * from, all before it is.
   */
  async #isHeardFrom(broker: Broker): Promise<void> {
    const heard = Promise.withResolvers<void>();
    this.#connection.subscribe(`${this.#namespace}.jobs.${PROBE}`, {
      callback: () => heard.resolve(),
    });
    await this.#connection.flush();
    await broker.queues.ensure(PROBE);
    const probing = async (): Promise<boolean> => {
      await broker.enqueue([{ ...firstEnvelope(randomUUID()), queue: PROBE }]);
      return await Promise.race([heard.promise.then(() => true), pause(50, false)]);
    };
    await eventually(probing, { withinMs: 20_000, describe: "what is published is heard" });
    await broker.queues.remove(PROBE);
  }

  private constructor(connection: NatsConnection, namespace: string) {
    this.#connection = connection;
    this.#namespace = namespace;
    this.random = new SeededRandom(newSeed());
    console.log(`seed ${this.random.seed}`);
  }

  publish(envelope: Envelope, door: string): Promise<{ readonly duplicate: boolean }> {
    return this.#send(`${this.#namespace}.${door}`, writeEnvelope(envelope), messageIdOf(envelope));
  }

  replay(data: Uint8Array, subject: string): Promise<{ readonly duplicate: boolean }> {
    const origin = subject.includes(".requeue.") ? "runtime" : "producer";
    const read = readEnvelope({
      queue: QUEUE,
      origin,
      body: data,
      headers: {},
      sequence: 0,
      storedAt: 0,
    });
    if (!read.ok) throw new Error(`heard what is no envelope on ${subject}`);
    return this.#send(subject, data, messageIdOf(read.envelope));
  }

  async #send(
    subject: string,
    data: Uint8Array,
    id: string,
  ): Promise<{ readonly duplicate: boolean }> {
    const own = headers();
    own.set("Nats-Msg-Id", id);
    const publish = () => jetstream(this.#connection).publish(subject, data, { headers: own });
    // A cluster refuses what a node publishes at the same moment: whether it is a duplicate is not
    // decided yet.
    return eventually(publish, { withinMs: 20_000, describe: `an answer for ${id}` });
  }
}
