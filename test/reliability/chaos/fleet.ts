import { type NatsProxy, startProxy } from "../../harness/proxy.ts";
import type { TestServer } from "../../harness/servers.ts";
import type { Trial, TrialNode } from "../harness/trial.ts";

interface Member {
  readonly node: TrialNode;
  readonly proxy: NatsProxy;
}

/** A number of nodes, each behind a proxy of its own. Who is gone is replaced by a new one under a new name. */
export class Fleet {
  readonly #trial: Trial;
  readonly #server: TestServer;
  readonly #size: number;
  #members: Member[] = [];
  #born = 0;

  constructor(trial: Trial, server: TestServer, size: number) {
    this.#trial = trial;
    this.#server = server;
    this.#size = size;
  }

  member(place: number): Member {
    return this.#members[place % this.#members.length] as Member;
  }

  /** Takes it out of the fleet; it may still be running. */
  dismiss(member: Member): void {
    this.#members = this.#members.filter((other) => other !== member);
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
    return { node: await this.#trial.node(name, { servers: proxy.url }), proxy };
  }
}
