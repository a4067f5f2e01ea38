import { connectBroker } from "@millrace/broker-nats";
import { type LaunchedServer, launchServer } from "@millrace/nats-server";
import type { Broker } from "@millrace/core";
import { connect, type EnqueueItem, type Millrace } from "millrace";
import type { Level, RoundFigures } from "./level.ts";
import { NodeProcess } from "./node-process.ts";
import { readUsage } from "./process-usage.ts";
import { queueName, scaleJob, type ScaleInput } from "./scale-job.ts";

const NAMESPACE = "scale";
const SLOTS = 256;
const FEWEST_SLOTS = 8;
/** Made at once, so that what waits to be enqueued never is a million objects. */
const CHUNK_BYTES = 50_000_000;
const MOST_CHUNK = 20_000;
/** Of a round's jobs, before anything is counted: the node starts, and the engine compiles. */
const WARM_SHARE = 0.2;
const HOUR_MS = 3_600_000;
const IDLE_MS = 3_000;
const DUE_SPREAD_MS = 2_000;
/** Well above what it takes to enqueue and defer those that fall due. */
const DUE_AFTER_MS = 3_000;
const MB = 1_000_000;

interface Reading {
  readonly atMs: number;
  readonly succeeded: number;
  readonly nodeCpuMs: number;
  readonly serverCpuMs: number;
}

/**
 * A level with a server and node processes of its own, which stay from its first round to its last.
 */
export class Arena implements AsyncDisposable {
  readonly level: Level;
  serverBytesPerWaiting: number | undefined;
  readonly #server: LaunchedServer;
  readonly #client: Millrace;
  readonly #broker: Broker;
  readonly #nodes: readonly NodeProcess[];

  static async open(level: Level, path: string): Promise<Arena> {
    const server = await launchServer({ path });
    const client = await connect({ servers: server.url, namespace: NAMESPACE });
    const broker = await connectBroker({ servers: server.url, namespace: NAMESPACE });
    for (let queue = 0; queue < level.queues; queue += 1)
      await broker.queues.ensure(queueName(queue));
    const slots = Math.max(FEWEST_SLOTS, Math.ceil(SLOTS / level.queues));
    const setup = { url: server.url, namespace: NAMESPACE, queues: level.queues, slots };
    const nodes = await Promise.all(
      Array.from({ length: level.nodes }, () => NodeProcess.start(setup)),
    );
    return new Arena(level, server, client, broker, nodes);
  }

  private constructor(
    level: Level,
    server: LaunchedServer,
    client: Millrace,
    broker: Broker,
    nodes: readonly NodeProcess[],
  ) {
    this.level = level;
    this.#server = server;
    this.#client = client;
    this.#broker = broker;
    this.#nodes = nodes;
  }

  /**
   * Brings what waits behind the rounds' jobs, looks at what that costs the server, and lets it
   * lie.
   */
  async prepare(): Promise<void> {
    const { backlog, delayed, settleMs } = this.level;
    const waiting = backlog + delayed;
    const before = readUsage(this.#server.pid).rssBytes;
    if (delayed > 0) {
      await this.#enqueue(delayed, { at: new Date(Date.now() + HOUR_MS) });
      await this.#whileRunning(() => this.#reached("deferred", delayed));
    }
    if (backlog > 0) await this.#enqueue(backlog);
    if (waiting === 0) return;
    // The server gives little back while the jobs lie: its collector runs when something is done.
    this.serverBytesPerWaiting = (readUsage(this.#server.pid).rssBytes - before) / waiting;
    await new Promise((resolve) => setTimeout(resolve, settleMs));
  }

  async round(): Promise<RoundFigures> {
    const { jobs, due, delayed, backlog } = this.level;
    await this.#enqueue(jobs + backlog - (await this.#waiting()));
    const done = this.#sum("succeeded");
    let [from, to]: [Reading?, Reading?] = [];
    let idleShare: number | undefined;
    const lateness = await this.#whileRunning(async () => {
      await this.#reached("succeeded", done + Math.ceil(jobs * WARM_SHARE));
      from = this.#read();
      await this.#reached("succeeded", done + jobs);
      to = this.#read();
      if (delayed > 0) idleShare = await this.#idle();
      if (due > 0) await this.#fallDue(due);
    });
    if (from === undefined || to === undefined) throw new Error("the round was not measured");
    return {
      ...figuresOf(from, to),
      nodeRssMb: Math.max(...this.#nodes.map(({ pid }) => readUsage(pid).rssBytes)) / MB,
      serverRssMb: readUsage(this.#server.pid).rssBytes / MB,
      ...(due === 0 ? {} : { latenessMs: percentiles(lateness) }),
      ...(idleShare === undefined ? {} : { idleShare }),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.end()));
    await this.#client.close();
    await this.#broker.close();
    await this.#server.dispose();
  }

  async #enqueue(amount: number, options: Pick<EnqueueItem<ScaleInput>, "at"> = {}): Promise<void> {
    const { queues, payloadBytes } = this.level;
    const input: ScaleInput = { pad: "x".repeat(payloadBytes) };
    const chunk = Math.min(MOST_CHUNK, Math.ceil(CHUNK_BYTES / payloadBytes));
    for (let queue = 0; queue < queues; queue += 1) {
      const share =
        Math.floor(((queue + 1) * amount) / queues) - Math.floor((queue * amount) / queues);
      for (let left = share; left > 0; left -= chunk) {
        const items = Array.from({ length: Math.min(chunk, left) }, () => ({ ...options, input }));
        const results = await this.#client.enqueueMany(scaleJob(queue), items);
        const failed = results.find((result) => !result.ok);
        if (failed !== undefined) throw new Error(`not stored: ${JSON.stringify(failed)}`);
      }
    }
  }

  /** Jobs that fall due while everything else waits, until all have run. */
  async #fallDue(amount: number): Promise<void> {
    const done = this.#sum("succeeded");
    const start = Date.now() + DUE_AFTER_MS;
    const items = Array.from({ length: amount }, (_, n) => {
      const due = start + Math.floor((n * DUE_SPREAD_MS) / amount);
      return { input: { pad: "", due }, at: new Date(due) };
    });
    await this.#client.enqueueMany(scaleJob(0), items);
    await this.#reached("succeeded", done + amount);
  }

  async #idle(): Promise<number> {
    const from = this.#read();
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    const to = this.#read();
    const cpuMs = to.nodeCpuMs - from.nodeCpuMs + to.serverCpuMs - from.serverCpuMs;
    return cpuMs / (to.atMs - from.atMs);
  }

  /** @returns how late jobs came that were due meanwhile */
  async #whileRunning(work: () => Promise<void>): Promise<readonly number[]> {
    for (const node of this.#nodes) node.run();
    await work();
    return (await Promise.all(this.#nodes.map((node) => node.stop()))).flat();
  }

  /** Resolves when the nodes' counts together are as high. */
  async #reached(count: "succeeded" | "deferred", wanted: number): Promise<void> {
    const reached = new Promise<void>((resolve) => {
      const look = (): void => {
        if (this.#sum(count) >= wanted) resolve();
      };
      for (const node of this.#nodes) node.onProgress = look;
      look();
    });
    await Promise.race([reached, ...this.#nodes.map(({ failed }) => failed)]);
  }

  #sum(count: "succeeded" | "deferred"): number {
    return this.#nodes.reduce((sum, node) => sum + node[count], 0);
  }

  #read(): Reading {
    return {
      atMs: performance.now(),
      succeeded: this.#sum("succeeded"),
      nodeCpuMs: this.#nodes.reduce((sum, { pid }) => sum + readUsage(pid).cpuMs, 0),
      serverCpuMs: readUsage(this.#server.pid).cpuMs,
    };
  }

  async #waiting(): Promise<number> {
    let sum = 0;
    for (let queue = 0; queue < this.level.queues; queue += 1)
      sum += (await this.#broker.queues.snapshot(queueName(queue))).queued;
    return sum;
  }
}

function figuresOf(from: Reading, to: Reading) {
  const jobs = to.succeeded - from.succeeded;
  return {
    perSecond: (jobs / (to.atMs - from.atMs)) * 1_000,
    nodeCpuUs: ((to.nodeCpuMs - from.nodeCpuMs) / jobs) * 1_000,
    serverCpuUs: ((to.serverCpuMs - from.serverCpuMs) / jobs) * 1_000,
  };
}

function percentiles(values: readonly number[]): { p50: number; p99: number } {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? NaN;
  return { p50: at(0.5), p99: at(0.99) };
}
