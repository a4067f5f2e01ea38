import { setTimeout as sleep } from "node:timers/promises";
import { type NatsProxy, startProxy } from "../../harness/proxy.ts";
import type { TestServer } from "../../harness/servers.ts";
import { ledgerNowMs } from "../oracle/ledger-entry.ts";
import type { Death } from "../oracle/alive.ts";
import type { Standstill } from "../oracle/overlaps.ts";
import type { NodeChoices, Trial, TrialNode } from "../harness/trial.ts";

interface Member {
  readonly node: TrialNode;
  readonly proxy: NatsProxy;
}

export interface FleetOptions {
  readonly size: number;
  /** So many of the first nodes never die, whatever else is done to them. Default 0. */
  readonly elders?: number;
  readonly choices?: NodeChoices;
}

/**
 * A number of nodes, each behind a proxy of its own. Who is gone is replaced by a new one under a
 * new name.
 */
export class Fleet {
  readonly #trial: Trial;
  readonly #server: TestServer;
  readonly #size: number;
  readonly #elders: number;
  readonly #choices: NodeChoices;
  #members: Member[] = [];
  readonly deaths: Death[] = [];
  readonly standstills: Standstill[] = [];
  #born = 0;

  constructor(trial: Trial, server: TestServer, options: FleetOptions) {
    this.#trial = trial;
    this.#server = server;
    this.#size = options.size;
    this.#elders = options.elders ?? 0;
    this.#choices = options.choices ?? {};
  }

  member(place: number): Member {
    return this.#members[place % this.#members.length] as Member;
  }

  /** As `member`, among those that may die. */
  mortal(place: number): Member {
    return this.member(this.#elders + (place % (this.#members.length - this.#elders)));
  }

  /** What each node printed last. */
  lastWords(): readonly string[] {
    return this.#members.flatMap(({ node }) => [`${node.name}:`, ...node.output().slice(-8)]);
  }

  /**
   * Takes it out of the fleet by a signal; a fleet may be filled again while it ends.
   * @returns when it has ended
   */
  async dismiss(member: Member, signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const { node, proxy } = member;
    this.#members = this.#members.filter((other) => other !== member);
    // Whoever is killed runs nothing from here on; whoever is told to end does, until it has.
    const atMs = ledgerNowMs();
    node.signal(signal);
    await node.exit(90_000);
    this.deaths.push({
      process: node.name,
      atMs: signal === "SIGKILL" ? atMs : ledgerNowMs(),
    });
    await proxy.close();
  }

  /** Stops a process for a while. */
  async freeze({ node }: Member, forMs: number): Promise<void> {
    const fromMs = ledgerNowMs();
    node.signal("SIGSTOP");
    await sleep(forMs);
    const untilMs = ledgerNowMs();
    node.signal("SIGCONT");
    this.standstills.push({ process: node.name, fromMs, untilMs });
  }

  async fill(): Promise<void> {
    const missing = this.#size - this.#members.length;
    const born = await Promise.all(Array.from({ length: missing }, () => this.#bear()));
    this.#members.push(...born);
  }

  async #bear(): Promise<Member> {
    this.#born += 1;
    const name = `n${this.#born}`;
    const proxy = await startProxy(this.#server.url);
    return { node: await this.#trial.node(name, { ...this.#choices, servers: proxy.url }), proxy };
  }
}
