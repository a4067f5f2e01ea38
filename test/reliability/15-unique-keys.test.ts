import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type Broker, type HistoryRecord, silentLogger } from "@millrace/core";
import { createNode } from "@millrace/runtime";
import { expect, it, vi } from "vitest";
import { indexJob, QUEUE, type RuleName, RULES } from "../unique/index-job.ts";
import { startChild, type TestChild } from "../harness/child.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { clusterMode, patient } from "../harness/cluster/mode.ts";
import { eventually, within } from "../harness/deadline.ts";
import { describeEachServer, type TestServer } from "../harness/servers.ts";
import { type LedgerEntry } from "./oracle/ledger-entry.ts";
import { LedgerWriter, readLedger } from "./oracle/ledger-file.ts";
import { connectTo } from "./programs/connect.ts";
import type { RaceConfig } from "./programs/race.ts";

vi.setConfig({ testTimeout: patient(180_000) });

const PROCESSES = 4;
/** In each process, on a connection of their own each: 100 in all. */
const PRODUCERS = 25;
const START_MS = 90_000;

describeEachServer("15: 100 producers race for one unique key", (server) => {
  it("while the server is killed: one job is pending at the most, and one runs", async () => {
    const race = await Race.start(server, "pending");
    race.go();
    await race.enqueued(1);
    await race.restartServer();
    await race.attempted(300);
    await race.over();

    const { queued: pending } = await race.broker.queues.snapshot(QUEUE);
    await race.node("a");
    await race.drained();
    const records = await race.broker.history.recent({ queue: QUEUE, limit: 100 });
    const ended = records.map(({ id, state, error }) => `${id} ${state} ${error?.message ?? ""}`);
    expect((await race.runs()).length, ended.join("\n")).toBe(1);
    // Where elections keep a publish for longer than its claim lasts, another takes the key; what
    // comes after all is cancelled.
    if (clusterMode() === undefined)
      expect({ pending, confirmed: race.count("confirmed") }).toEqual({ pending: 1, confirmed: 1 });
    else
      expect(records.map(({ state }) => state).toSorted()).toEqual([
        ...Array.from({ length: pending - 1 }, () => "cancelled"),
        "succeeded",
      ]);
  });

  it("while jobs come and go, and the server is killed twice: a job is enqueued only once the one before has ended", async () => {
    const race = await Race.start(server, "running");
    await race.node("a");
    await race.node("b");
    race.go();
    for (const _ of [1, 2]) {
      await race.enqueued(15);
      await race.restartServer();
    }
    await race.enqueued(15);
    await race.over();
    await race.drained();

    const runs = await race.runs();
    const confirmed = new Set(
      race.ledger.filter(({ event }) => event === "confirmed").map(({ id }) => id),
    );
    for (const [index, { id, fromMs }] of runs.entries()) {
      const before = runs[index - 1];
      if (before === undefined) continue;
      expect(fromMs, `${id} came before ${before.id} had ended`).toBeGreaterThanOrEqual(
        before.untilMs,
      );
    }
    // What was confirmed and did not run was settled by a node with the reason on record, and not
    // lost.
    const ran = new Set(runs.map(({ id }) => id));
    for (const id of confirmed) {
      if (ran.has(id)) continue;
      const history = await race.broker.history.read({ id, queue: QUEUE });
      expect(history.at(-1)).toMatchObject({ state: "cancelled" });
    }
    console.log(
      `${runs.length} runs, ${confirmed.size} confirmed, ${race.count("attempted")} attempts`,
    );
    expect(runs.length).toBeGreaterThan(30);
  });
});

interface Run {
  readonly id: string;
  /** From when the job is known to be there. */
  readonly fromMs: number;
  /** When its handler had ended. */
  readonly untilMs: number;
}

/** The processes with the producers, and the nodes of this process. */
class Race {
  readonly broker: Broker;
  readonly #server: TestServer;
  readonly #directory: string;
  readonly #namespace: string;
  readonly #rule: RuleName;
  readonly #children: TestChild[] = [];

  static async start(server: TestServer, rule: RuleName): Promise<Race> {
    const namespace = server.namespace();
    const broker = await connectTo({ servers: server.url, namespace });
    cleanUpLater(() => broker.close());
    await broker.queues.ensure(QUEUE);
    const race = new Race(server, namespace, broker, rule);
    await Promise.all(Array.from({ length: PROCESSES }, (_, n) => race.#racers(`p${n}`)));
    return race;
  }

  private constructor(server: TestServer, namespace: string, broker: Broker, rule: RuleName) {
    this.#server = server;
    this.#namespace = namespace;
    this.broker = broker;
    this.#rule = rule;
    this.#directory = mkdtempSync(join(tmpdir(), "millrace-race-"));
    cleanUpLater(() => rmSync(this.#directory, { recursive: true, force: true }));
  }

  async #racers(name: string): Promise<void> {
    const config: RaceConfig = {
      name,
      servers: this.#server.url,
      namespace: this.#namespace,
      ledger: this.#directory,
      rule: this.#rule,
      producers: PRODUCERS,
      pauseMs: 20,
    };
    const child = startChild(join(import.meta.dirname, "programs/racing-program.ts"), {
      args: [JSON.stringify(config)],
    });
    this.#children.push(child);
    await child.message((said): said is object => says(said, "ready"), START_MS);
  }

  go(): void {
    for (const child of this.#children) child.send({ go: true });
  }

  async node(name: string): Promise<void> {
    const ledger = new LedgerWriter(this.#directory, name);
    const broker = await connectTo({ servers: this.#server.url, namespace: this.#namespace });
    const handled = indexJob(RULES[this.#rule]).handler(async ({ job, attempt, token }) => {
      ledger.write({ event: "started", id: job.id, attempt, token });
      await pause(5);
      ledger.write({ event: "ended", id: job.id, attempt, token, ending: "succeeded" });
    });
    const node = createNode({
      broker,
      name,
      jobs: [handled],
      lease: "3s",
      grace: "2s",
      log: silentLogger,
    });
    cleanUpLater(async () => {
      await node.stop();
      await broker.close();
      ledger.close();
    });
    await node.start();
  }

  /** So many more jobs have been enqueued. */
  async enqueued(more: number): Promise<void> {
    const before = this.count("confirmed");
    const wanted = more === 1 ? 1 : before + more;
    await eventually(() => this.count("confirmed") >= wanted, {
      withinMs: 60_000,
      everyMs: 50,
      describe: () => `${wanted} jobs are enqueued; there are ${this.count("confirmed")}`,
    });
  }

  /** So many more attempts have been made. */
  async attempted(more: number): Promise<void> {
    const wanted = this.count("attempted") + more;
    await eventually(() => this.count("attempted") >= wanted, {
      withinMs: 60_000,
      everyMs: 50,
      describe: "the producers go on",
    });
  }

  async restartServer(): Promise<void> {
    await this.#server.kill();
    await this.#server.restart();
  }

  async over(): Promise<void> {
    for (const child of this.#children) child.send({ over: true });
    await within(
      Promise.all(this.#children.map((child) => child.exit(90_000))),
      90_000,
      "the producers end",
    );
  }

  drained(): Promise<unknown> {
    return eventually(
      async () => {
        const { queued, running, delayed } = await this.broker.queues.snapshot(QUEUE);
        return queued + running + delayed === 0;
      },
      { withinMs: 60_000, everyMs: 100, describe: "the queue is drained" },
    );
  }

  get ledger(): readonly LedgerEntry[] {
    return readLedger(this.#directory);
  }

  count(event: LedgerEntry["event"]): number {
    return this.ledger.filter((entry) => entry.event === event).length;
  }

  /**
   * The jobs that ran, in the order of their ends. The end that counts is that of the run on
   * record, which freed the key: a server that is killed may forget that it delivered a job, and
   * one that had ended runs again.
   */
  async runs(): Promise<readonly Run[]> {
    const found = new Map<string, { fromMs: number; ran: LedgerEntry[] }>();
    for (const entry of this.ledger) {
      const run = found.get(entry.id) ?? { fromMs: Number.POSITIVE_INFINITY, ran: [] };
      if (entry.event === "confirmed" || entry.event === "started")
        run.fromMs = Math.min(run.fromMs, entry.atMs);
      if (entry.event === "started" || entry.event === "ended") run.ran.push(entry);
      found.set(entry.id, run);
    }
    const runs: Run[] = [];
    for (const [id, { fromMs, ran }] of found) {
      if (!ran.some(({ event }) => event === "ended")) continue;
      const record = (await this.broker.history.read({ id, queue: QUEUE })).at(-1);
      runs.push({ id, fromMs, untilMs: endOnRecord(ran, record) });
    }
    return runs.toSorted((a, b) => a.untilMs - b.untilMs);
  }
}

/** Of the runs on the record's node that which took as long as the record says. */
function endOnRecord(ran: readonly LedgerEntry[], record: HistoryRecord | undefined): number {
  const ends = ran.flatMap((entry) => {
    if (entry.event !== "ended" || entry.process !== record?.node) return [];
    const started = ran.find((other) => other.event === "started" && other.token === entry.token);
    const tookMs = entry.atMs - (started?.atMs ?? Number.NEGATIVE_INFINITY);
    return [{ endedMs: entry.atMs, off: Math.abs(tookMs - (record.durationMs ?? 0)) }];
  });
  const [onRecord] = ends.toSorted((a, b) => a.off - b.off);
  // Where what is on record is no run, as of one that was cancelled when it came again, the first
  // end counts.
  const first = ran.find(({ event }) => event === "ended");
  return onRecord?.endedMs ?? first?.atMs ?? Number.NaN;
}

function says(said: unknown, what: string): boolean {
  return typeof said === "object" && said !== null && "say" in said && said.say === what;
}
