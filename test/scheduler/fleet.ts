import { join } from "node:path";
import { type HistoryRecord, type ScheduleTiming, tickJobId } from "@millrace/core";
import { connect, type Millrace } from "millrace";
import { expect } from "vitest";
import { startChild, type TestChild } from "../harness/child.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { lasting } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import type { TestServer } from "../harness/servers.ts";
import { readRecords } from "../reliability/harness/records.ts";
import { type ProgramConfig, QUEUE, type Said, type Told } from "./program-config.ts";

const START_MS = 90_000;
const PATIENCE_MS = 60_000;
/**
 * A job that was in the hands of three leaders as they died is a suspect. It waits until the last
 * of them has missed its heartbeats, which takes 35 seconds.
 */
const JUDGED_MS = 60_000;
const LAST_LINES = 20;
/**
 * So short that what is published a moment later is not held back by its id; what an election makes
 * be published again has to be.
 */
const DEDUPE_MS = lasting(100);

export interface FleetNode extends TestChild {
  readonly name: string;
  heard<S extends Said["say"]>(
    say: S,
    accepts?: (message: Extract<Said, { say: S }>) => boolean,
    withinMs?: number,
  ): Promise<Extract<Said, { say: S }>>;
  /**
   * Its strike has taken effect. Until then it may lose the lead, to an election say, and be struck
   * only when it leads again.
   */
  struck(): Promise<void>;
  jump(ms: number): void;
}

/** Nodes with schedules on a namespace of their own, in processes of their own. */
export class Fleet {
  readonly namespace: string;
  readonly client: Millrace;
  /** Two thirds of it are longer than a busy machine keeps a process waiting. */
  readonly leaseMs = 3_000;
  readonly #server: TestServer;
  readonly #schedules: readonly ScheduleTiming[];
  /** Also of nodes that are starting. */
  #names = 0;
  readonly #nodes: FleetNode[] = [];

  static async start(
    server: TestServer,
    schedules: readonly ScheduleTiming[],
    { dedupeWindowMs = DEDUPE_MS } = {},
  ): Promise<Fleet> {
    const namespace = server.namespace();
    const client = await connect({ servers: server.url, namespace, env: {} });
    cleanUpLater(() => client.close());
    await client.queues.ensure(QUEUE, { dedupeWindowMs });
    return new Fleet(server, namespace, client, schedules);
  }

  private constructor(
    server: TestServer,
    namespace: string,
    client: Millrace,
    schedules: readonly ScheduleTiming[],
  ) {
    this.#server = server;
    this.namespace = namespace;
    this.client = client;
    this.#schedules = schedules;
  }

  /** Resolves when the node is ready; which one leads is another question. */
  async node(choices: Partial<Pick<ProgramConfig, "offsetMs" | "strike" | "leaseMs">> = {}) {
    this.#names += 1;
    const name = `n${this.#names}`;
    const config: ProgramConfig = {
      servers: this.#server.url,
      namespace: this.namespace,
      name,
      leaseMs: this.leaseMs,
      schedules: this.#schedules,
      offsetMs: 0,
      ...choices,
    };
    const child = startChild(join(import.meta.dirname, "scheduler-program.ts"), {
      args: [JSON.stringify(config)],
    });
    // One that is to be struck may be struck as soon as it leads, which may be before it is ready.
    await child.line(/^ready$|^SIG/, START_MS);
    const node: FleetNode = {
      ...child,
      name,
      heard: (say, accepts = () => true, withinMs = PATIENCE_MS) =>
        child.message(
          (message): message is never => (message as Said).say === say && accepts(message as never),
          withinMs,
        ),
      struck: async () => void (await child.line(/^SIG/, PATIENCE_MS)),
      jump: (jumpMs) => child.send({ jumpMs } satisfies Told),
    };
    this.#nodes.push(node);
    return node;
  }

  /** The end of what each node printed, for a failure. */
  lastWords(): string {
    return this.#nodes
      .flatMap(({ name, output }) => [`${name}:`, ...output().slice(-LAST_LINES)])
      .join("\n");
  }

  /** A failure to hear something says what all nodes said. */
  async told<T>(heard: Promise<T>): Promise<T> {
    try {
      return await heard;
    } catch (cause) {
      throw new Error(`${String(cause)}\nThe nodes said\n${this.lastWords()}`, { cause });
    }
  }

  /** How many ticks of each schedule were left out. */
  async skipped(): Promise<Readonly<Record<string, number>>> {
    const schedules = await this.client.cron.list();
    return Object.fromEntries(schedules.map(({ name, state }) => [name, state.skipped]));
  }

  /**
   * Pauses everything, lets all jobs end, and reads what happened, past the product's own reader.
   */
  async finish(): Promise<readonly HistoryRecord[]> {
    for (const { name } of this.#schedules) await this.client.cron.pause(name);
    // A leader may be amid its last tick.
    await eventually(
      async () => {
        const schedules = await this.client.cron.list();
        return schedules.every(({ state }) => state.intent === undefined);
      },
      { withinMs: PATIENCE_MS, describe: "no tick is under way" },
    );
    let left = "unknown";
    await eventually(
      async () => {
        const { queued, running, delayed } = await this.client.queues.snapshot(QUEUE);
        left = `${queued} queued, ${running} running, ${delayed} delayed`;
        return queued + running + delayed === 0;
      },
      {
        withinMs: JUDGED_MS,
        everyMs: 50,
        describe: () => `all jobs have ended, but ${left}; the nodes said\n${this.lastWords()}`,
      },
    );
    return readRecords(this.#server.url, this.namespace);
  }
}

/**
 * The ticks of a schedule whose jobs have ended, one for each job in the queue, in their order.
 * Where a confirmation was lost, a record is written twice.
 */
export function ticksOf(records: readonly HistoryRecord[], schedule: string): readonly number[] {
  const ended = records.filter(
    ({ id, state }) => id.startsWith(`cron:${schedule}:`) && state !== "requeued",
  );
  return [...new Map(ended.map(({ id, sequence }) => [`${id} ${sequence}`, id])).values()]
    .map(tickOf)
    .sort((one, other) => one - other);
}

/** Each tick of a per-second schedule once, and none missing. @returns how many there are */
export function expectEverySecond(ticks: readonly number[], schedule: string): number {
  const [first = 0] = ticks;
  const expected = ticks.map((_, index) => tickJobId(schedule, first + index * 1_000));
  expect(ticks.map((tick) => tickJobId(schedule, tick))).toEqual(expected);
  return ticks.length;
}

function tickOf(id: string): number {
  const [, y, m, d, h, min, s] = /:(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(id) ?? [];
  return Date.parse(`${y}-${m}-${d}T${h}:${min}:${s}Z`);
}
