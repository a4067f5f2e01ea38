import {
  findFreePort,
  launchCluster,
  type LaunchedCluster,
  type LaunchedServer,
} from "@millrace/nats-server";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { ledgerNowMs } from "../../reliability/oracle/ledger-entry.ts";
import { cleanUpLater } from "../cleanup.ts";
import { eventually } from "../deadline.ts";
import { type NatsProxy, startProxy } from "../proxy.ts";
import { allCurrent } from "./leader-killer.ts";
import { hearMonitorOf, leaderAsKnownTo, MONITOR_CONFIG, routesOf } from "./members.ts";
import type { MemberFault } from "./member-fault.ts";

const CURRENT_MS = 60_000;
const ELECTION_MS = 60_000;
/** A request that is given up is carried out all the same, and then nobody counts on it. */
const STEPDOWN_MS = 20_000;

/** A member's way to another. */
interface Way {
  readonly from: number;
  readonly to: number;
  readonly proxy: NatsProxy;
}

/** Since 2.11 a leader can be told who is to follow; 2.10 takes no request with a body. */
function preferring({ name }: LaunchedServer, { info }: NatsConnection): string {
  const minor = Number((info?.version ?? "").split(".")[1]);
  return minor >= 11 ? JSON.stringify({ placement: { preferred: name } }) : "";
}

/**
 * Three servers whose routes run through proxies, so that one of them can be cut off from the two
 * others while its clients stay with it. They are told of each other's proxies only: what they
 * gossip about themselves is a port on which nobody listens.
 */
export class DividedCluster {
  readonly #cluster: LaunchedCluster;
  readonly #ways: readonly Way[];
  readonly #partitions: MemberFault[] = [];

  /** Removed when the test has finished. */
  static async launch(path: string): Promise<DividedCluster> {
    let ways: readonly Way[] = [];
    const cluster = await launchCluster({
      path,
      config: MONITOR_CONFIG,
      // Clients stay where they are put.
      advertise: false,
      async routing(ports) {
        ways = await waysBetween(ports);
        const closed = await findFreePort();
        return ports.map((_port, member) => {
          const urls = ways.filter(({ from }) => from === member).map(({ proxy }) => proxy.url);
          return `advertise: "127.0.0.1:${closed}", routes: ${JSON.stringify(urls)}`;
        });
      },
    });
    cleanUpLater(() => cluster.dispose());
    cluster.members.forEach(hearMonitorOf);
    const divided = new DividedCluster(cluster, ways);
    await divided.#expectNoOtherWay();
    return divided;
  }

  private constructor(cluster: LaunchedCluster, ways: readonly Way[]) {
    this.#cluster = cluster;
    this.#ways = ways;
  }

  get urls(): readonly string[] {
    return this.#cluster.urls;
  }

  get members(): readonly LaunchedServer[] {
    return this.#cluster.members;
  }

  /** One that is not healed yet lasts for ever. */
  get partitions(): readonly MemberFault[] {
    return this.#partitions;
  }

  /** By the word of a member that has a quorum. */
  async leaderOf(stream: string, among = this.members): Promise<LaunchedServer> {
    return eventually(
      async () => {
        const [asked] = among;
        const name = asked && (await leaderAsKnownTo(asked, stream));
        return among.find((member) => member.name === name);
      },
      { withinMs: ELECTION_MS, everyMs: 100, describe: `${stream} has a leader` },
    );
  }

  /**
   * Has a stream, or a consumer of it, change its leader until it is this member.
   *
   * @param among the members that are there
   */
  async haveLead(
    member: LaunchedServer,
    stream: string,
    consumer?: string,
    among = this.members,
  ): Promise<void> {
    const group = consumer === undefined ? stream : `${stream} ${consumer}`;
    const subject =
      consumer === undefined
        ? `$JS.API.STREAM.LEADER.STEPDOWN.${stream}`
        : `$JS.API.CONSUMER.LEADER.STEPDOWN.${stream}.${consumer}`;
    await using nc = await connect({ servers: among.map(({ url }) => url) });
    await eventually(
      async () => {
        if ((await this.leaderOf(group, among)) === member) return true;
        await nc.request(subject, preferring(member, nc), { timeout: STEPDOWN_MS });
        return false;
      },
      { withinMs: ELECTION_MS, everyMs: 100, describe: `${member.name} leads ${group}` },
    );
  }

  others(member: LaunchedServer): readonly LaunchedServer[] {
    return this.members.filter((other) => other !== member);
  }

  /**
   * No byte passes between this member and the others until the returned function is called, which
   * resolves when all copies are current.
   *
   * @param leaseMs what its old leaders delivered last, when the others had delivered it already,
   *   may be in a node's hands for so long afterwards
   */
  isolate(member: LaunchedServer, how: "blackhole" | "cut", leaseMs: number): () => Promise<void> {
    const index = this.members.indexOf(member);
    const cut = this.#ways.filter(({ from, to }) => from === index || to === index);
    const partition = { member: member.name, fromMs: ledgerNowMs(), untilMs: Infinity };
    this.#partitions.push(partition);
    for (const { proxy } of cut) proxy[how]();
    return async () => {
      // Whoever found another way in the meantime was not isolated.
      await this.#expectNoOtherWay();
      for (const { proxy } of cut) proxy.heal();
      await allCurrent(this.members, CURRENT_MS);
      partition.untilMs = ledgerNowMs() + leaseMs;
    };
  }

  /**
   * Each route that a member has is a connection to one of its proxies, or from one that leads to
   * it.
   */
  async #expectNoOtherWay(): Promise<void> {
    for (const [index, member] of this.members.entries()) {
      const routes = await routesOf(member);
      const known = this.#ways.flatMap(({ from, to, proxy }) => [
        ...(from === index ? [Number(new URL(proxy.url).port)] : []),
        ...(to === index ? proxy.outwardPorts : []),
      ]);
      const stray = routes.filter(({ port }) => !known.includes(port));
      if (stray.length > 0)
        throw new Error(`${member.name} has a way around the proxies: ${JSON.stringify(stray)}`);
    }
  }
}

async function waysBetween(ports: readonly number[]): Promise<readonly Way[]> {
  const ways: Way[] = [];
  for (const from of ports.keys())
    for (const [to, port] of ports.entries())
      if (from !== to)
        ways.push({ from, to, proxy: await startProxy(`nats://127.0.0.1:${port}`, "route") });
  return ways;
}
