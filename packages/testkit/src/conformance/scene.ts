import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import {
  type Broker,
  type Delivery,
  type EnqueueResult,
  type Envelope,
  type ErrorCode,
  type HistoryRecord,
  MillraceError,
  type QueueMessage,
  type QueueSettings,
  readEnvelope,
  UNSETTLED,
} from "@millrace/core";
import type { BrokerCapabilities, ConformanceHarness, DeafConnection } from "./harness.ts";
import { SceneWorker, type SceneWorkerOptions } from "./scene-worker.ts";

/** One thing every broker does. */
export interface ConformanceCase {
  readonly name: string;
  run(harness: ConformanceHarness): Promise<void>;
  /** @returns why this broker can't be asked, or undefined */
  skip?(capabilities: BrokerCapabilities): string | undefined;
}

export function conformanceCase(
  name: string,
  body: (scene: Scene) => Promise<void>,
): ConformanceCase {
  return { name, run: (harness) => playScene(harness, body) };
}

/** A case that needs a second connection. */
export function sharedCase(name: string, body: (scene: Scene) => Promise<void>): ConformanceCase {
  return {
    ...conformanceCase(name, body),
    skip: ({ severalConnections }) =>
      severalConnections ? undefined : "it takes several connections to one server",
  };
}

/** A case that needs a connection whose answers are lost. */
export function deafCase(
  name: string,
  body: (scene: Scene, deaf: DeafConnection) => Promise<void>,
): ConformanceCase {
  const played = conformanceCase(name, async (scene) => {
    const deaf = await scene.harness.connectDeaf?.();
    assert.ok(deaf, "the harness has no `connectDeaf`");
    scene.later(() => deaf.broker.close());
    await body(scene, deaf);
  });
  return {
    ...played,
    skip: ({ goesDeaf = false }) =>
      goesDeaf ? undefined : "it takes a connection whose answers are lost",
  };
}

async function playScene(
  harness: ConformanceHarness,
  body: (scene: Scene) => Promise<void>,
): Promise<void> {
  const scene = new Scene(harness);
  try {
    await harness.broker.queues.ensure(scene.queue);
    await body(scene);
  } finally {
    await scene.cleanUp();
  }
}

/** A queue of its own and what a case does with it; takes away again what it made. */
export class Scene {
  readonly harness: ConformanceHarness;
  readonly broker: Broker;
  readonly queue: string;
  readonly #cleanUps: (() => Promise<unknown>)[] = [];
  #jobs = 0;

  constructor(harness: ConformanceHarness) {
    this.harness = harness;
    this.broker = harness.broker;
    this.queue = harness.queueName();
    this.later(() => this.broker.queues.remove(this.queue));
  }

  /** Undone at the end, last thing first. */
  later(cleanUp: () => Promise<unknown>): void {
    this.#cleanUps.push(cleanUp);
  }

  async cleanUp(): Promise<void> {
    for (const cleanUp of this.#cleanUps.toReversed()) await cleanUp();
  }

  async ensure(settings: QueueSettings): Promise<void> {
    await this.broker.queues.ensure(this.queue, settings);
  }

  async anotherQueue(): Promise<string> {
    const queue = this.harness.queueName();
    await this.broker.queues.ensure(queue);
    this.later(() => this.broker.queues.remove(queue));
    return queue;
  }

  async connect(): Promise<Broker> {
    const broker = await this.harness.connect();
    this.later(() => broker.close());
    return broker;
  }

  /** An envelope with an id that no other case uses. */
  job(more: Partial<Envelope> = {}): Envelope {
    this.#jobs += 1;
    return {
      ...UNSETTLED,
      id: `${this.queue}-job-${this.#jobs}`,
      name: "conformance.job",
      queue: this.queue,
      payload: { n: this.#jobs },
      createdAt: this.harness.now(),
      headers: {},
      ...more,
    };
  }

  jobs(count: number, more: Partial<Envelope> = {}): readonly Envelope[] {
    return Array.from({ length: count }, () => this.job(more));
  }

  record(envelope: Envelope, more: Partial<HistoryRecord> = {}): HistoryRecord {
    return {
      id: envelope.id,
      name: envelope.name,
      queue: envelope.queue,
      state: "succeeded",
      outcome: "succeeded",
      attempts: 1,
      generation: envelope.generation,
      node: "conformance",
      at: this.harness.now(),
      ...more,
    };
  }

  async worker(options: SceneWorkerOptions = {}): Promise<SceneWorker> {
    const broker = options.broker ?? this.broker;
    const worker = await SceneWorker.start(
      broker,
      options.queue ?? this.queue,
      this.harness,
      options,
    );
    this.later(() => worker.stop());
    return worker;
  }

  /**
   * @returns the jobs as they lie in their queue: as they were given, or where leaders die, by
   *   their places
   */
  async enqueueOk(...jobs: readonly Envelope[]): Promise<readonly Envelope[]> {
    const placed = (await this.broker.enqueue(jobs)).map((result, index) => {
      assert.ok(result.ok, result.ok ? "" : result.error.message);
      return { job: jobs[index] as Envelope, sequence: result.sequence };
    });
    if (this.harness.leadersDie === true) placed.sort((a, b) => a.sequence - b.sequence);
    return placed.map(({ job }) => job);
  }

  /**
   * Whether a job was taken as a new one. Where leaders die, what is sent again may be told to be a
   * duplicate of its own first copy.
   */
  isTakenAsNew(result: EnqueueResult): boolean {
    return result.ok && (!result.duplicate || this.harness.leadersDie === true);
  }

  /**
   * How often a job was delivered. Where leaders die another number: one may die on its way and
   * come a lease later, or be forgotten.
   */
  deliveredTimes({ deliveryCount }: Delivery, expected: number): void {
    if (this.harness.leadersDie !== true) assert.equal(deliveryCount, expected);
  }

  /**
   * These come and none else, in this order. Where leaders die, in any order and some perhaps once
   * more.
   */
  async comeInOrder(
    seen: () => readonly (string | undefined)[],
    expected: readonly string[],
  ): Promise<void> {
    await this.harness.eventually(`${expected.join(", ")} to come`, () => {
      const all = new Set(seen());
      return expected.every((one) => all.has(one));
    });
    if (this.harness.leadersDie === true) assert.deepEqual(new Set(seen()), new Set(expected));
    else assert.deepEqual(seen(), expected);
  }

  /**
   * This is what a look shows at once. Where leaders die, in the end: one member may be behind
   * another.
   */
  async showsAtOnce<T>(what: string, look: () => Promise<T>, expected: T): Promise<void> {
    if (this.harness.leadersDie === true)
      await this.harness.eventually(what, async () => isDeepStrictEqual(await look(), expected));
    else assert.deepEqual(await look(), expected);
  }

  /** Until this much time has passed; for what must outlast something. */
  async passes(ms: number): Promise<void> {
    const until = this.harness.now() + ms;
    await this.harness.eventually(`${ms} ms to pass`, () => this.harness.now() >= until);
  }
}

export function envelopeOf(message: QueueMessage): Envelope {
  const read = readEnvelope(message);
  if (!read.ok)
    throw new assert.AssertionError({
      message: `the delivered message is unreadable: ${read.error.message}`,
    });
  return read.envelope;
}

export async function rejectsWith(code: ErrorCode, promise: Promise<unknown>): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(MillraceError.is(error), `expected a MillraceError ${code}, got ${String(error)}`);
    assert.equal(error.code, code);
    return true;
  });
}
