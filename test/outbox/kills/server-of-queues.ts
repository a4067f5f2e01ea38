import type { NatsConnection } from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";
import { cleanUpLater } from "../../harness/cleanup.ts";

interface ConsumerSaid {
  readonly name: string;
  readonly num_pending: number;
  readonly num_ack_pending: number;
  readonly delivered: object;
  readonly ack_floor: object;
}

/** What a server says of a queue. */
export interface QueueSaid {
  /** Jobs that are to be delivered, or are being worked on. */
  readonly open: number;
  /**
   * Jobs that no consumer will deliver. A server that is killed right after an ack may know of the
   * ack and not of the message's removal: the message is in its stream for good.
   */
  readonly ghosts: number;
  readonly text: string;
}

/** Asks the server itself: a list of what waits can't tell a ghost from a job. */
export class ServerOfQueues {
  readonly #nc: NatsConnection;
  readonly #namespace: string;

  private constructor(nc: NatsConnection, namespace: string) {
    this.#nc = nc;
    this.#namespace = namespace;
  }

  static async connect(servers: string, namespace: string): Promise<ServerOfQueues> {
    const nc = await connect({ servers });
    cleanUpLater(() => nc.close());
    return new ServerOfQueues(nc, namespace);
  }

  async ask(queue: string): Promise<QueueSaid> {
    const stream = `${this.#namespace}-queue-${queue}`;
    const { consumers } = await this.#api<{ consumers: readonly ConsumerSaid[] }>(
      `CONSUMER.LIST.${stream}`,
    );
    const open = consumers.reduce((sum, one) => sum + one.num_pending + one.num_ack_pending, 0);
    const { state } = await this.#api<{ state: { subjects?: Record<string, number> } }>(
      `STREAM.INFO.${stream}`,
      { subjects_filter: ">" },
    );
    const jobs = Object.entries(state.subjects ?? {})
      .filter(([subject]) => !subject.startsWith(`${this.#namespace}.mark.`))
      .reduce((sum, [, count]) => sum + count, 0);
    const told = consumers.map(({ name, delivered, ack_floor: floor }) => [name, delivered, floor]);
    return { open, ghosts: jobs - open, text: `${queue}: ${JSON.stringify({ state, told })}` };
  }

  async #api<Answer>(call: string, body: object = {}): Promise<Answer> {
    const reply = await this.#nc.request(`$JS.API.${call}`, JSON.stringify(body), {
      timeout: 15_000,
    });
    return reply.json<Answer>();
  }
}
