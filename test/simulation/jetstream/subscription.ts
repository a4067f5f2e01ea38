import { Buffer } from "node:buffer";
import type { Msg, MsgCallback, Subscription, SubscriptionOptions } from "@nats-io/nats-core";
import { errors, MsgImpl, QueuedIteratorImpl } from "@nats-io/nats-core/internal";
import type { Packet } from "./packet.ts";

interface SubscriptionOwner {
  unsubscribe(): void;
  /** Tells the server, and goes on listening to what is on its way. */
  leave(): void;
  flush(): Promise<void>;
  isClosed(): boolean;
}

/** As the client library makes it of what it reads: whoever looks at its insides finds them. */
export function messageOf(
  sid: number,
  { subject, reply, headers, data }: Packet,
  publisher: ConstructorParameters<typeof MsgImpl>[2],
): Msg {
  const body = headers === undefined ? Buffer.from(data) : Buffer.concat([headers, data]);
  const args = {
    subject: Buffer.from(subject),
    reply: reply === "" ? undefined : Buffer.from(reply),
    sid,
    hdr: headers === undefined ? -1 : headers.length,
    size: body.length,
  };
  return new MsgImpl(args as ConstructorParameters<typeof MsgImpl>[0], body, publisher) as Msg;
}

export class ModelSubscription implements Subscription {
  readonly sid: number;
  readonly subject: string;
  readonly closed: Promise<void | Error>;
  callback: MsgCallback<Msg>;
  readonly #owner: SubscriptionOwner;
  readonly #closed = Promise.withResolvers<void | Error>();
  readonly #queue: QueuedIteratorImpl<Msg> | undefined;
  #most: number | undefined;
  #received = 0;
  #state: "open" | "draining" | "closed" = "open";
  #draining: Promise<void> | undefined;

  constructor(
    sid: number,
    subject: string,
    options: SubscriptionOptions,
    owner: SubscriptionOwner,
  ) {
    this.sid = sid;
    this.subject = subject;
    this.#owner = owner;
    this.closed = this.#closed.promise;
    this.#most = options.max;
    const { callback } = options;
    const queue = callback === undefined ? new QueuedIteratorImpl<Msg>() : undefined;
    this.#queue = queue;
    this.callback = callback ?? ((_error, msg): void => queue?.push(msg));
  }

  receive(msg: Msg): void {
    if (this.#state === "closed") return;
    this.#received += 1;
    void this.callback(null, msg);
    if (this.#most !== undefined && this.#received >= this.#most) this.unsubscribe();
  }

  unsubscribe(max?: number): void {
    if (max !== undefined && this.#received < max) {
      this.#most = max;
      return;
    }
    this.#owner.unsubscribe();
    this.end();
  }

  drain(): Promise<void> {
    if (this.#owner.isClosed()) return Promise.reject(new errors.ClosedConnectionError());
    if (this.#state === "closed")
      return Promise.reject(new errors.InvalidOperationError("subscription is already closed"));
    this.#draining ??= this.#drain();
    return this.#draining;
  }

  async #drain(): Promise<void> {
    this.#state = "draining";
    this.#owner.leave();
    await this.#owner.flush().catch(() => {});
    this.unsubscribe();
  }

  end(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#queue?.stop();
    this.#closed.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state !== "closed" && !this.#owner.isClosed()) await this.drain();
  }

  [Symbol.asyncIterator](): AsyncIterator<Msg> {
    const queue = this.#queue;
    if (queue === undefined) throw new errors.InvalidOperationError("it has a callback");
    return queue[Symbol.asyncIterator]();
  }

  isDraining(): boolean {
    return this.#state === "draining";
  }

  isClosed(): boolean {
    return this.#state === "closed";
  }

  getSubject(): string {
    return this.subject;
  }

  getReceived(): number {
    return this.#received;
  }

  getProcessed(): number {
    return this.#received;
  }

  getPending(): number {
    return 0;
  }

  getID(): number {
    return this.sid;
  }

  getMax(): number | undefined {
    return this.#most;
  }
}
