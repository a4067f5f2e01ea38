import { MillraceError, type RunningJob } from "@millrace/core";
import { type Health, type MillraceNode, nodeEvents, type NodeState } from "@millrace/runtime";
import type { NodeConnection, PreparedNode } from "./connect-node.ts";

/** The node behind it. Only `connect`, `stop` and `abandon` write it. */
type Stage =
  | { readonly kind: "connecting" }
  | { readonly kind: "connected"; readonly node: MillraceNode }
  | { readonly kind: "stopped" };

/**
 * A node from its first moment. Until a server answers it is alive and unready, says what it waits
 * for, and can be stopped; from then on it is the node itself.
 */
export class EarlyNode implements MillraceNode {
  readonly name: string;
  readonly events: MillraceNode["events"];
  readonly queues: readonly string[];
  readonly stopped: Promise<void>;
  readonly #prepared: PreparedNode;
  readonly #stopConnecting = new AbortController();
  readonly #connected = Promise.withResolvers<MillraceNode>();
  readonly #over = Promise.withResolvers<void>();
  #stage: Stage = { kind: "connecting" };

  constructor(prepared: PreparedNode) {
    const { name, queues } = prepared.plan;
    this.#prepared = prepared;
    this.name = name;
    this.queues = queues.map(({ queue }) => queue);
    this.events = nodeEvents(prepared.log);
    this.stopped = this.#over.promise;
    // Nobody may be waiting in `start`.
    this.#connected.promise.catch(() => {});
  }

  /**
   * @returns undefined where the node was stopped before a server answered
   * @throws MillraceError as `PreparedNode.connect`
   */
  async connect(): Promise<NodeConnection | undefined> {
    const { signal } = this.#stopConnecting;
    let connection: NodeConnection;
    try {
      connection = await this.#prepared.connect({ signal, events: this.events });
    } catch (error) {
      if (signal.aborted) return undefined;
      this.abandon();
      throw error;
    }
    const { node } = connection;
    if (this.#stage.kind === "stopped") {
      await node.stop({ immediate: true });
      await connection.close();
      return undefined;
    }
    this.#stage = { kind: "connected", node };
    void node.stopped.then(() => this.#over.resolve());
    this.#connected.resolve(node);
    return connection;
  }

  /** There will be no node. Does nothing where there is one. */
  abandon(): void {
    if (this.#stage.kind !== "connecting") return;
    this.#stage = { kind: "stopped" };
    this.#stopConnecting.abort();
    this.#connected.reject(
      new MillraceError("already-stopped", "This node was stopped before a server answered."),
    );
    this.#over.resolve();
  }

  get state(): NodeState {
    if (this.#stage.kind === "connected") return this.#stage.node.state;
    return this.#stage.kind === "stopped" ? "stopped" : "starting";
  }

  get running(): readonly RunningJob[] {
    return this.#stage.kind === "connected" ? this.#stage.node.running : [];
  }

  get stopLeftMs(): number {
    return this.#stage.kind === "connected"
      ? this.#stage.node.stopLeftMs
      : this.#prepared.plan.stopMs;
  }

  async start(): Promise<void> {
    return (await this.#connected.promise).start();
  }

  async stop(options?: { readonly immediate?: boolean }): Promise<void> {
    if (this.#stage.kind === "connected") return this.#stage.node.stop(options);
    if (this.#stage.kind === "connecting")
      this.#prepared.log.info({}, "stopped before a NATS server answered");
    this.abandon();
  }

  health(): Health {
    if (this.#stage.kind === "connected") return this.#stage.node.health();
    const { config, plan } = this.#prepared;
    const { state } = this;
    const what =
      state === "starting"
        ? `waiting for a NATS server at ${config.servers.map(withoutUser).join(", ")}`
        : "the node is stopped";
    return {
      live: state === "starting",
      ready: false,
      problems: [what],
      state,
      broker: "disconnected",
      running: 0,
      queues: plan.queues.map(({ queue, slots }) => ({ queue, state: "idle", slots, used: 0 })),
    };
  }
}

/** A server's URL may hold a password. */
export function withoutUser(server: string): string {
  return server.replace(/^([a-z]+:\/\/)?.*@/i, "$1");
}
