import {
  type Broker,
  type Clock,
  type Document,
  type DocumentStore,
  type ErrorCode,
  type Logger,
  MillraceError,
  recordError,
  type Stoppable,
  type Timer,
} from "@millrace/core";
import { desiredOf, NODE_ORDERS_BUCKET, readNodeOrder } from "./node-order.ts";
import { isNewer, type Written } from "../service/written.ts";
import type { Heartbeats } from "./heartbeats.ts";
import { HEARTBEAT_MS, type NodeReport, NODES_BUCKET } from "./node-report.ts";
import { sweepPresence } from "./sweep-presence.ts";

export interface PresenceHost {
  readonly node: string;
  readonly instance: string;
  readonly broker: Broker;
  readonly clock: Clock;
  /** The machine's wall clock as it is: by it others see that it is wrong. */
  readonly machineNow: () => number;
  readonly log: Logger;
  readonly random: () => number;
  readonly heartbeats: Heartbeats;
  /** How the node is now, apart from what the presence knows itself. */
  readonly report: () => Omit<NodeReport, "instance" | "obeys" | "everyMs" | "sentAt">;
  /** Resolves when it is so: nothing that was pulled for before can arrive any more. */
  readonly obey: (desired: "running" | "quiet") => Promise<void>;
  /** Begins the node's end. Called once at most. */
  readonly stop: () => void;
}

/** A watch that died without a word is found out by then, in heartbeats. */
const LOOK_EVERY = 6;
/** After one heartbeat that failed it waits twice as long, after two four times, and so on. */
const SOON_MS = 125;
/** In heartbeats, on average. */
const SWEEP_EVERY = 30;

/** The server, or who leads there, gave no answer or has no room. Anything else is one. */
const AWAY: ReadonlySet<ErrorCode> = new Set([
  "broker-unavailable",
  "publish-timeout",
  "request-timeout",
]);

interface Stores {
  readonly nodes: DocumentStore;
  readonly orders: DocumentStore;
}

/**
 * Says that the node is there, and obeys what operators order it. Orders come by a watch, so an
 * idle node costs one small write a heartbeat, and one read a minute.
 */
export class Presence {
  readonly #host: PresenceHost;
  /** Set while it is open. */
  #stores: Stores | undefined;
  /** What is ordered, and what is so already. */
  #desired: "running" | "quiet" = "running";
  #obeys: "running" | "quiet" = "running";
  /** A stop was obeyed, or the node ends: no later order counts. */
  #ending = false;
  /** Of the order that was heeded last, so that an older look does not undo it. */
  #heeded: Written | undefined;
  /** Of the last report that was written; 0 before the first. */
  #revision = 0;
  #beats = 0;
  #sweepAt: number;
  #timer: Timer | undefined;
  #beating: Promise<void> | undefined;
  /** How often in a row it could not say that it is there. */
  #missed = 0;
  /** What is being written is no longer all. */
  #stale = false;

  constructor(host: PresenceHost) {
    this.#host = host;
    this.#sweepAt = this.#nextSweep();
  }

  /** Rejecting leaves nothing open: it may be called again. */
  async open(): Promise<Stoppable> {
    this.#host.heartbeats.sent();
    try {
      return await this.#open();
    } catch (error) {
      this.#failed(error);
      throw error;
    }
  }

  async #open(): Promise<Stoppable> {
    const { broker, node } = this.#host;
    const [nodes, orders] = await Promise.all([
      broker.documents(NODES_BUCKET),
      broker.documents(NODE_ORDERS_BUCKET),
    ]);
    const watch = await orders.watch(({ key, document }) => {
      if (key === node) this.#heed(document, orders);
    });
    let said: NodeReport;
    try {
      await this.#look(orders);
      said = this.#report();
      this.#revision = await nodes.put(node, said);
      this.#host.heartbeats.stored();
    } catch (error) {
      await watch.stop();
      throw error;
    }
    this.#stores = { nodes, orders };
    if (said.obeys === this.#obeys) this.#beatLater();
    else this.changed();
    // Others may be about to take it for dead.
    const unwatch = broker.onStatus((status) => {
      if (status === "connected") this.changed();
    });
    return {
      stop: () => {
        unwatch();
        return this.#stop(nodes, watch);
      },
    };
  }

  /** The node is not as it was: says so now. */
  changed(): void {
    if (this.#stores === undefined) return;
    this.#timer?.cancel();
    if (this.#beating !== undefined) {
      this.#stale = true;
      return;
    }
    this.#beating = this.#beat(this.#stores).finally(() => {
      this.#beating = undefined;
      const isStale = this.#stale;
      this.#stale = false;
      if (isStale) this.changed();
      else this.#beatLater();
    });
  }

  #beatLater(): void {
    if (this.#stores === undefined) return;
    const waitMs =
      this.#missed === 0 ? HEARTBEAT_MS : Math.min(HEARTBEAT_MS, 2 ** this.#missed * SOON_MS);
    this.#timer = this.#host.clock.setTimer(waitMs, () => this.changed());
  }

  #report(): NodeReport {
    const { machineNow, report, instance } = this.#host;
    const sentAt = machineNow();
    return { ...report(), instance, sentAt, obeys: this.#obeys, everyMs: HEARTBEAT_MS };
  }

  /**
   * Never rejects. A heartbeat that fails is sent again soon: the write of a node that was frozen
   * may fail as it thaws, and others may be about to take it for dead.
   */
  async #beat({ nodes, orders }: Stores): Promise<void> {
    const { node, log, heartbeats } = this.#host;
    this.#beats += 1;
    this.#missed += 1;
    heartbeats.sent();
    let isStored = false;
    try {
      this.#revision = await nodes.put(node, this.#report());
      isStored = true;
      this.#missed = 0;
      heartbeats.stored();
      if (this.#beats % LOOK_EVERY === 0) await this.#look(orders);
      if (this.#beats < this.#sweepAt) return;
      this.#sweepAt = this.#beats + this.#nextSweep();
      await sweepPresence(nodes, orders);
    } catch (error) {
      if (!isStored) this.#failed(error);
      log.warn({ node, error: recordError(error) }, "the node could not say that it is there");
    }
  }

  #failed(error: unknown): void {
    if (isAway(error)) this.#host.heartbeats.missed();
    else this.#host.heartbeats.refused(MillraceError.is(error, "permission-denied"));
  }

  #nextSweep(): number {
    return Math.ceil(SWEEP_EVERY * (0.5 + this.#host.random()));
  }

  async #look(orders: DocumentStore): Promise<void> {
    const document = await orders.get(this.#host.node);
    if (document !== undefined) this.#heed(document, orders);
  }

  /** An order is taken back by another one; one that was removed by hand counts no more either. */
  #heed(document: Document | undefined, orders: DocumentStore): void {
    const { node, instance, log } = this.#host;
    if (this.#ending) return;
    if (document !== undefined) {
      if (!isNewer(document, this.#heeded)) return;
      this.#heeded = document;
    }
    const order = readNodeOrder(document?.value);
    const desired = desiredOf(order, instance);
    const said = { node, by: order?.by, reason: order?.reason };
    if (desired === "stopped") {
      this.#ending = true;
      log.info(said, "the node is ordered to stop");
      void this.#stopAsOrdered(document, orders);
      return;
    }
    if (desired === this.#desired) return;
    this.#desired = desired;
    log.info(
      said,
      desired === "quiet" ? "the node is ordered to take no new jobs" : "the node takes jobs again",
    );
    void this.#obey(desired);
  }

  async #obey(desired: "running" | "quiet"): Promise<void> {
    const { node, log, obey } = this.#host;
    try {
      await obey(desired);
    } catch (error) {
      log.warn({ node, error: recordError(error) }, "pulls could not be withdrawn as ordered");
      return;
    }
    // It may have been ordered otherwise meanwhile.
    if (desired !== this.#desired) return;
    this.#obeys = desired;
    this.changed();
  }

  /** The order is used up first; it would be for this life alone anyway. */
  async #stopAsOrdered(document: Document | undefined, orders: DocumentStore): Promise<void> {
    const { node, log, stop } = this.#host;
    try {
      if (document !== undefined) await orders.erase(node, document.revision);
    } catch (error) {
      log.warn({ node, error: recordError(error) }, "an order that was obeyed could not be erased");
    }
    stop();
  }

  async #stop(nodes: DocumentStore, watch: Stoppable): Promise<void> {
    const { node, broker, log } = this.#host;
    this.#stores = undefined;
    this.#ending = true;
    this.#timer?.cancel();
    await Promise.all([watch.stop(), this.#beating]);
    // Without a server it ages out.
    if (broker.status !== "connected") return;
    try {
      await nodes.erase(node, this.#revision);
    } catch (error) {
      log.warn({ node, error: recordError(error) }, "the node could not say goodbye");
    }
  }
}

function isAway(error: unknown): boolean {
  return MillraceError.is(error) && AWAY.has(error.code);
}
