import type { Msg, NatsConnection, Subscription } from "@nats-io/nats-core";
import { hearOn } from "../connection/hear-on.ts";
import { newInbox } from "../wire/inbox.ts";
import { PullLedger } from "./pull-ledger.ts";

/**
 * Pulls live and die with their inbox: the server drops what nobody listens for. So a new start is
 * a new inbox.
 */
export class PullInbox {
  readonly prefix: string;
  readonly ledger = new PullLedger();
  readonly #sub: Subscription;

  constructor(nc: NatsConnection, callback: (error: Error | null, msg: Msg) => void) {
    this.prefix = `${newInbox(nc)}.`;
    this.#sub = hearOn(nc, `${this.prefix}*`, callback);
  }

  get isClosed(): boolean {
    return this.#sub.isClosed();
  }

  /** What is on the wire is lost. */
  close(): void {
    this.#sub.unsubscribe();
  }

  /** What is on the wire is handed over before this resolves. */
  drain(): Promise<void> {
    return this.#sub.drain().catch(() => this.#sub.unsubscribe());
  }
}
