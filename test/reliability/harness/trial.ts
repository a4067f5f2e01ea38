import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Broker,
  type EnqueueResult,
  type Envelope,
  type HistoryRecord,
  type QueueSettings,
  UNSETTLED,
} from "@millrace/core";
import { connect } from "@nats-io/transport-node";
import { expect, vi } from "vitest";
import { type ChildExit, startChild, type TestChild } from "../../harness/child.ts";
import { cleanUpLater } from "../../harness/cleanup.ts";
import type { MemberFault } from "../../harness/cluster/member-fault.ts";
import { patient } from "../../harness/cluster/mode.ts";
import { eventually } from "../../harness/deadline.ts";
import type { Fault } from "../oracle/history.ts";
import { type LedgerEntry, ledgerNowMs } from "../oracle/ledger-entry.ts";
import { LedgerWriter, readLedger } from "../oracle/ledger-file.ts";
import { judge, type Verdict } from "../oracle/verdict.ts";
import { connectTo } from "../programs/connect.ts";
import {
  type ArrivalsConfig,
  type ConnectConfig,
  type ForeignProducerConfig,
  JOB,
  type NodeConfig,
  type ProducerConfig,
  QUEUE,
  type Said,
  type Work,
} from "../programs/work.ts";
import type { VitalSigns } from "../programs/vital-signs.ts";
import { diagnose } from "./diagnosis.ts";
import { readRecords } from "./records.ts";

const PROGRAMS = join(import.meta.dirname, "../programs");
/**
 * Starting processes is most of the work here, and the machine may be busy with other test files.
 */
const START_MS = 90_000;
const PATIENCE_MS = 60_000;
vi.setConfig({ testTimeout: patient(180_000) });

export interface TrialNode extends TestChild {
  readonly name: string;
  /** The next message of this kind about this job. */
  heard<S extends Said["say"]>(
    say: S,
    id: string,
    withinMs?: number,
  ): Promise<Extract<Said, { say: S }>>;
  release(id: string): void;
  /** Of a node that was started with `--expose-gc`. */
  vitalSigns(): Promise<VitalSigns>;
}

export type NodeChoices = Partial<Omit<NodeConfig, "namespace" | "ledger" | "name">> & {
  readonly nodeOptions?: readonly string[];
  /** The folder of the programs, where they are another version's. */
  readonly programs?: string;
  /** It may die before it is ready, so that isn't waited for. */
  readonly mayDieAtOnce?: boolean;
};

/** Where a trial takes place. */
export interface Court {
  readonly url: string;
  readonly replicas?: number;
  /** Of members of a cluster, while trials take place. */
  readonly deaths?: readonly MemberFault[];
  /** The same of members that were cut off from the others. */
  readonly partitions?: readonly MemberFault[];
  namespace(): string;
}

/**
 * One run of processes and faults on a namespace of its own, from the first publish to the verdict.
 * What happens is in the ledger; which faults there were is for the test to say, when it makes
 * them.
 */
export class Trial {
  readonly namespace: string;
  readonly broker: Broker;
  /**
   * Of nodes that are not told otherwise. Two thirds of it are longer than a busy machine keeps a
   * process waiting: nobody loses a lease whom the test doesn't take it from.
   */
  readonly leaseMs = 3_000;
  readonly maxAttempts = 4;
  readonly #court: Court;
  readonly #startedMs: number;
  readonly #connect: ConnectConfig;
  readonly #directory: string;
  readonly #ledger: LedgerWriter;
  readonly #faults: Fault[] = [];

  static async start(court: Court, settings: QueueSettings = {}): Promise<Trial> {
    const { url: servers, replicas } = court;
    const connect = {
      servers,
      namespace: court.namespace(),
      ...(replicas === undefined ? {} : { replicas }),
    };
    const broker = await connectTo(connect);
    cleanUpLater(() => broker.close());
    await broker.queues.ensure(QUEUE, settings);
    return new Trial(court, connect, broker);
  }

  private constructor(court: Court, connect: ConnectConfig, broker: Broker) {
    this.#court = court;
    this.#startedMs = ledgerNowMs();
    this.#connect = connect;
    this.namespace = connect.namespace;
    this.broker = broker;
    this.#directory = mkdtempSync(join(tmpdir(), "millrace-ledger-"));
    cleanUpLater(() => rmSync(this.#directory, { recursive: true, force: true }));
    this.#ledger = new LedgerWriter(this.#directory, "test");
    cleanUpLater(() => this.#ledger.close());
  }

  get ledger(): readonly LedgerEntry[] {
    return readLedger(this.#directory);
  }

  /** Resolves when the node is ready; with `mayDieAtOnce`, when its process is there. */
  async node(name: string, choices: NodeChoices = {}): Promise<TrialNode> {
    const { nodeOptions = [], programs = PROGRAMS, mayDieAtOnce = false, ...rest } = choices;
    const config: NodeConfig = {
      ...this.#connect,
      leaseMs: this.leaseMs,
      graceMs: 2_000,
      slots: 8,
      maxAttempts: this.maxAttempts,
      backoffMs: 0,
      ...rest,
      name,
      ledger: this.#directory,
    };
    const child = startChild(join(programs, "node-program.ts"), {
      args: [JSON.stringify(config)],
      nodeOptions,
    });
    if (!mayDieAtOnce) await child.line(/^ready$/, START_MS);
    return {
      ...child,
      name,
      heard: (say, id, withinMs = PATIENCE_MS) =>
        child.message(
          (message): message is never =>
            (message as Said).say === say &&
            "id" in (message as object) &&
            (message as { id: string }).id === id,
          withinMs,
        ),
      release: (id) => child.send({ release: id }),
      async vitalSigns() {
        child.send({ measure: true });
        const isAnswer = (message: unknown): message is Extract<Said, { say: "measured" }> =>
          (message as Said).say === "measured";
        return (await child.message(isAnswer, PATIENCE_MS)).signs;
      },
    };
  }

  producer(
    name: string,
    choices: Partial<ProducerConfig> & Pick<NodeChoices, "programs"> = {},
  ): TestChild {
    const { programs = PROGRAMS, ...rest } = choices;
    const config: ProducerConfig = {
      ...this.#connect,
      jobs: 100,
      batch: 20,
      failEvery: 0,
      workMs: 1,
      pauseMs: 0,
      ...rest,
      name,
      ledger: this.#directory,
    };
    return startChild(join(programs, "producer-program.ts"), { args: [JSON.stringify(config)] });
  }

  /** A program that knows the wire and nothing of Millrace. */
  foreignProducer(
    choices: Omit<ForeignProducerConfig, "servers" | "namespace" | "ledger">,
  ): TestChild {
    const config: ForeignProducerConfig = {
      ...choices,
      ...this.#connect,
      ledger: this.#directory,
    };
    return startChild(join(PROGRAMS, "foreign-producer-program.ts"), {
      args: [JSON.stringify(config)],
    });
  }

  /** Its first line is `ready`. */
  arrivals(choices: Omit<ArrivalsConfig, "servers" | "namespace" | "ledger">): TestChild {
    const config: ArrivalsConfig = {
      ...choices,
      ...this.#connect,
      ledger: this.#directory,
    };
    return startChild(join(PROGRAMS, "arrivals-program.ts"), { args: [JSON.stringify(config)] });
  }

  /** Publishes from the test's own process, and fails unless all are confirmed. */
  async publish(
    jobs: Readonly<Record<string, Work & { readonly tenant?: string }>>,
    broker: Broker = this.broker,
  ): Promise<void> {
    const envelopes = Object.entries(jobs).map(([id, payload]) => envelopeOf(id, payload));
    for (const result of await this.tryPublish(envelopes, broker))
      if (!result.ok) throw result.error;
  }

  /** The same for those who count on failures. */
  async tryPublish(
    envelopes: readonly Envelope[],
    broker: Broker = this.broker,
  ): Promise<readonly EnqueueResult[]> {
    for (const { id } of envelopes) this.#ledger.write({ event: "attempted", id });
    const results = await broker.enqueue(envelopes);
    for (const result of results)
      if (result.ok)
        this.#ledger.write({ event: "confirmed", id: result.id, duplicate: result.duplicate });
    return results;
  }

  /**
   * Declares a fault that lasts until the returned function is called, and for so many milliseconds
   * more as that is given.
   */
  fault(what: string, ...explains: Fault["explains"]): (lingersMs?: number) => Fault {
    const fromMs = ledgerNowMs();
    return (lingersMs = 0) => {
      const fault = { what, fromMs, untilMs: ledgerNowMs() + lingersMs, explains };
      this.#faults.push(fault);
      return fault;
    };
  }

  /**
   * Waits for a node to die, and declares its death.
   * @returns when that was, on the ledger's clock
   */
  async death(
    node: TrialNode,
    withinMs = PATIENCE_MS,
  ): Promise<{ readonly exit: ChildExit; readonly atMs: number }> {
    const end = this.fault(`the death of ${node.name}`, "repeated-attempt", "stale-effect");
    const exit = await node.exit(withinMs);
    return { exit, atMs: end().untilMs };
  }

  /** Resolves when nothing waits, runs, is delayed or blocked. */
  async drained(withinMs = PATIENCE_MS): Promise<void> {
    let seen = "";
    try {
      await eventually(
        async () => {
          const { queued, running, delayed, blocked } = await this.broker.queues.snapshot(QUEUE);
          seen = `${queued} queued, ${running} running, ${delayed} delayed, ${blocked} blocked`;
          return queued + running + delayed + blocked === 0;
        },
        { withinMs, everyMs: 50, describe: () => `the queue is drained (${seen})` },
      );
    } catch (cause) {
      throw new Error(`${String(cause)}\n${await this.#diagnose()}`, { cause });
    }
  }

  async #diagnose(): Promise<string> {
    const nc = await connect({ servers: this.#connect.servers.split(",") });
    try {
      return await diagnose(nc, `${this.namespace}-queue-${QUEUE}`, this.ledger);
    } finally {
      await nc.close();
    }
  }

  records(): Promise<readonly HistoryRecord[]> {
    return readRecords(this.#connect.servers, this.namespace);
  }

  /**
   * @param records where they were read along, as the stream keeps them for a while only. Default:
   *   what is in the stream
   */
  async verdict(records?: readonly HistoryRecord[]): Promise<Verdict> {
    const dead = await this.broker.deadLetters.list({ queue: QUEUE, limit: 1_000_000 });
    return judge(
      {
        entries: this.ledger,
        dead: dead.map(({ id, reason, attempts }) => ({ id, reason, attempts })),
        records: records ?? (await this.records()),
        faults: [...this.#faults, ...this.faultsOfMembers],
      },
      { maxAttempts: this.maxAttempts },
    );
  }

  /**
   * A leader dies with the extensions and acks of that moment, and with deliveries that it has told
   * nobody of; until there is another, leases run out that are shorter than that. One that is cut
   * off goes on delivering and extending for a while, beside its successor.
   */
  get faultsOfMembers(): readonly Fault[] {
    const { deaths = [], partitions = [] } = this.#court;
    return [
      ...deaths.map((death) => ({ ...death, what: `the death of ${death.member}` })),
      ...partitions.map((cut) => ({ ...cut, what: `${cut.member} is cut off from the others` })),
    ]
      .filter(({ untilMs }) => untilMs >= this.#startedMs)
      .map(({ what, fromMs, untilMs }) => ({
        what,
        fromMs,
        untilMs,
        explains: ["repeated-attempt", "stale-effect"],
      }));
  }

  /** The verdict of a run in which nothing may be wrong. */
  async expectClean(): Promise<Verdict["counts"]> {
    const { violations, counts } = await this.verdict();
    expect(violations).toEqual([]);
    return counts;
  }
}

/** A job of the trial's, not enqueued yet. */
export function envelopeOf(id: string, payload: Work): Envelope {
  return {
    ...UNSETTLED,
    id,
    name: JOB,
    queue: QUEUE,
    payload,
    createdAt: Date.now(),
    headers: {},
  };
}
