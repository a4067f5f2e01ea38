import { join } from "node:path";
import { connect, type Millrace } from "millrace";
import { startChild, type TestChild } from "../../harness/child.ts";
import { cleanUpLater } from "../../harness/cleanup.ts";
import { eventually } from "../../harness/deadline.ts";
import type { TestServer } from "../../harness/servers.ts";
import type { OutboxDatabase } from "../outbox-database.ts";
import { charge, receipt } from "./jobs.ts";
import { describeVerdict, isComplete, judge, type Verdict } from "./oracle.ts";
import { OrderWriter } from "./order-writer.ts";
import { type GoOn, isStanding, type RelayPoint, type Stand } from "./points.ts";
import type { Process, Strike, Victim } from "./strikes.ts";
import { ServerOfQueues } from "./server-of-queues.ts";
import { whereabouts } from "./whereabouts.ts";

const PATIENCE_MS = 180_000;
const PROCESSES: readonly Process[] = ["relay 1", "relay 2", "node"];

export interface Fire {
  readonly server: TestServer;
  readonly database: OutboxDatabase;
  /** Of the queues, milliseconds. */
  readonly windowMs: number;
  /** Of the relays; see `relay-program.ts`. */
  readonly fault?: string;
}

/** Two relays, a node, a writer, their database and their server; each can be killed. */
export class OutboxUnderFire {
  readonly #fire: Fire;
  readonly #namespace: string;
  readonly #millrace: Millrace;
  readonly #children = new Map<Process, TestChild>();
  /** Those that were killed too. */
  readonly #launched: { readonly name: Process; readonly child: TestChild }[] = [];
  readonly writer: OrderWriter;

  private constructor(fire: Fire, namespace: string, millrace: Millrace) {
    this.#fire = fire;
    this.#namespace = namespace;
    this.#millrace = millrace;
    this.writer = new OrderWriter(fire.database.postgres.url);
  }

  static async start(fire: Fire): Promise<OutboxUnderFire> {
    const { server, database, windowMs } = fire;
    await database.pool.query(
      "TRUNCATE orders, charges, messages, millrace_done, millrace_outbox, millrace_outbox_claim",
    );
    const namespace = server.namespace();
    const millrace = await connect({ servers: server.url, namespace, env: {} });
    cleanUpLater(() => millrace.close());
    for (const { queue } of [charge, receipt])
      await millrace.queues.ensure(queue, { dedupeWindowMs: windowMs });
    const all = new OutboxUnderFire(fire, namespace, millrace);
    for (const name of PROCESSES) await all.#launch(name);
    cleanUpLater(() => all.writer.stop());
    all.writer.start();
    return all;
  }

  /** Kills once, has everything up again, and waits until transactions end again. */
  async strike({ victim, at }: Strike): Promise<void> {
    const before = this.writer.ended;
    if (at === undefined) await this.#kill(victim);
    else await this.#strikeAt(victim, at);
    await eventually(() => this.writer.ended > before + 1, {
      withinMs: PATIENCE_MS,
      describe: "transactions end again",
    });
  }

  /**
   * Kills the only relay that lives, there: its claim is open, and whoever comes goes on with it.
   * Of two relays the other may have published it too, and finish it.
   */
  async killLastRelayAt(point: RelayPoint): Promise<void> {
    await this.#child("relay 2").kill();
    const last = this.#child("relay 1");
    last.send({ standAt: point } satisfies Stand);
    await last.message(isStanding, PATIENCE_MS);
    await last.kill();
    await this.#windowPasses();
    for (const name of ["relay 1", "relay 2"] as const) await this.#launch(name);
  }

  /** Kills every holder of one job in its transaction; nothing else is written meanwhile. */
  async killHolders(count: number): Promise<void> {
    await eventually(() => this.writer.ended > 0, {
      withinMs: PATIENCE_MS,
      describe: "a transaction has ended",
    });
    for (let killed = 0; killed < count; killed += 1) {
      await this.#strikeAt("node", { who: "node", point: "after the effect" });
      await this.writer.stop();
    }
  }

  /** Ends the writing, and waits until what is committed has come to its end. */
  async verdict(): Promise<Verdict & { readonly ghosts: number }> {
    await this.writer.stop();
    const { pool } = this.#fire.database;
    let seen = "";
    await eventually(
      async () => {
        const verdict = await judge(pool);
        seen = describeVerdict(verdict);
        return isComplete(verdict);
      },
      { withinMs: PATIENCE_MS, everyMs: 200, describe: () => `nothing is missing: ${seen}` },
    ).catch(async (error: unknown) => {
      const known = await whereabouts(pool, this.#millrace.broker, this.#said());
      throw new Error(`Orders are missing. What is known of them:\n${known}`, { cause: error });
    });
    const ghosts = await this.#queuesAreDone();
    for (const child of this.#children.values()) await child.kill();
    return { ...(await judge(pool)), ghosts };
  }

  /**
   * Waits until nothing is to be delivered any more: whatever was published twice has come too.
   *
   * @returns jobs that a killed server has kept though they were acked
   */
  async #queuesAreDone(): Promise<number> {
    const server = await ServerOfQueues.connect(this.#fire.server.url, this.#namespace);
    let ghosts = 0;
    for (const { queue } of [charge, receipt]) {
      let seen = "";
      const said = await eventually(
        async () => {
          const now = await server.ask(queue);
          seen = now.text;
          return now.open === 0 ? now : undefined;
        },
        { withinMs: PATIENCE_MS, everyMs: 100, describe: () => `all is delivered: ${seen}` },
      );
      ghosts += said.ghosts;
    }
    return ghosts;
  }

  async #strikeAt(victim: Victim, { who, point }: NonNullable<Strike["at"]>): Promise<void> {
    const standing = this.#child(who);
    standing.send({ standAt: point } satisfies Stand);
    await standing.message(isStanding, PATIENCE_MS);
    if (victim === who) return this.#killAlone(who);
    if (victim !== "answer") await this.#kill(victim);
    await this.#windowPasses();
    const goOn = victim === "answer" ? "without the answer" : "as it was";
    standing.send({ goOn } satisfies GoOn);
  }

  /** No other takes its place before the queue has forgotten the ids. */
  async #killAlone(who: Process): Promise<void> {
    const others = PROCESSES.filter((name) => name !== who).map((name) => this.#child(name));
    await Promise.all(others.map((other) => other.freeze()));
    await this.#child(who).kill();
    await this.#windowPasses();
    for (const other of others) other.signal("SIGCONT");
    await this.#launch(who);
  }

  async #windowPasses(): Promise<void> {
    const { windowMs } = this.#fire;
    if (windowMs > 1_000) return;
    const { broker } = this.#millrace;
    const from = await eventually(() => broker.serverNow(), {
      withinMs: PATIENCE_MS,
      describe: "the server says what time it is",
    });
    await eventually(async () => (await broker.serverNow()) > from + 2 * windowMs, {
      withinMs: PATIENCE_MS,
      describe: "the queues have forgotten the ids",
    });
  }

  async #kill(victim: Victim): Promise<void> {
    const { server, database } = this.#fire;
    if (victim === "database") {
      await database.postgres.kill();
      await database.postgres.start();
    } else if (victim === "server") {
      await server.kill();
      await server.restart();
    } else if (victim !== "answer") {
      await this.#child(victim).kill();
      await this.#launch(victim);
    }
  }

  #said(): readonly string[] {
    return this.#launched.flatMap(({ name, child }, place) =>
      child.output().map((line) => `process ${place}, ${name}: ${line}`),
    );
  }

  #child(name: Process): TestChild {
    const child = this.#children.get(name);
    if (child === undefined) throw new Error(`${name} is none of them`);
    return child;
  }

  async #launch(name: Process): Promise<void> {
    const { server, database, fault } = this.#fire;
    const program = name === "node" ? "node-program.ts" : "relay-program.ts";
    const args = [server.url, this.#namespace, database.postgres.url];
    const child = startChild(join(import.meta.dirname, program), {
      args: fault === undefined ? args : [...args, fault],
    });
    this.#children.set(name, child);
    this.#launched.push({ name, child });
    await child.line(/^ready$/, PATIENCE_MS);
  }
}

/** Tables of the orders, and of what the node saw. */
export const ORDER_TABLES: readonly string[] = [
  "CREATE TABLE orders (id int PRIMARY KEY)",
  // Without a key: a second effect must be seen.
  "CREATE TABLE charges (order_id int)",
  "CREATE TABLE messages (queue text, id text, sequence bigint, PRIMARY KEY (queue, id, sequence))",
];
