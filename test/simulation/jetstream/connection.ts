import { Buffer } from "node:buffer";
import type { Timer } from "@millrace/core";
import type {
  Msg,
  NatsConnection,
  Payload,
  PublishOptions,
  RequestOptions,
  Server,
  ServerInfo,
  Stats,
  Status,
  Subscription,
  SubscriptionOptions,
} from "@nats-io/nats-core";
import { errors, Features, parseSemVer, QueuedIteratorImpl } from "@nats-io/nats-core/internal";
import type { Machine } from "../../../packages/broker-nats/src/machine/machine.ts";
import { every, sleep } from "../../../packages/broker-nats/src/machine/timers.ts";
import type { Link } from "./link.ts";
import { NOTHING, type Packet } from "./packet.ts";
import { Requests } from "./requests.ts";
import { greetingOf, MAX_PAYLOAD } from "./greeting.ts";
import type { ModelServer, Session } from "./server.ts";
import { ModelSubscription, messageOf } from "./subscription.ts";

const PING_MS = 5_000;
const MOST_PINGS_OUT = 2;
const RECONNECT_MS = 250;
const BAD_SUBJECT = /[\s]/;

/**
 * What nats-core's connection is to those who use it, over a model server: everything it sends and
 * hears crosses a link, and every timer is its node's. A connection that its server ended, or whose
 * server is silent to three pings, is made again for ever.
 */
export class ModelConnection implements NatsConnection {
  readonly options = { inboxPrefix: "_INBOX" };
  readonly features: Features;
  readonly machine: Machine;
  readonly #server: ModelServer;
  readonly #link: Link;
  readonly #statuses = new Set<QueuedIteratorImpl<Status>>();
  readonly #subs = new Map<number, ModelSubscription>();
  readonly #requests: Requests;
  readonly #closed = Promise.withResolvers<void>();
  #isDead = false;
  readonly #stats = { inBytes: 0, outBytes: 0, inMsgs: 0, outMsgs: 0 };
  #session: Session | undefined;
  /** Written while there was no connection; thrown away when one is dialled. */
  #unsent: (() => void)[] = [];
  #pongs: PromiseWithResolvers<void>[] = [];
  #pingsOut = 0;
  #pings: Timer | undefined;
  #lastSid = 0;
  #state: "connecting" | "connected" | "reconnecting" | "draining" | "closed" = "connecting";

  constructor(server: ModelServer, link: Link, machine: Machine) {
    this.#server = server;
    this.#link = link;
    this.machine = machine;
    this.features = new Features(parseSemVer(server.flavour.version));
    this.#requests = new Requests(this);
  }

  /** @throws ConnectionError where nobody listens */
  async open(): Promise<this> {
    if (!(await this.#dial())) {
      this.#state = "closed";
      throw new errors.ConnectionError("connection refused");
    }
    this.#state = "connected";
    return this;
  }

  /** As nats-core has it: none while the connection is away, whatever its type says. */
  get info(): ServerInfo {
    return (
      this.isClosed() || this.#session === undefined ? undefined : greetingOf(this.#server)
    ) as ServerInfo;
  }

  getServerVersion(): ReturnType<typeof parseSemVer> {
    return parseSemVer(this.#server.flavour.version);
  }

  publish(subject: string, payload: Payload = NOTHING, options?: PublishOptions): void {
    // Whoever dies in the middle of sending several gets no further.
    if (this.#isDead) return;
    this.#check(subject);
    const data = typeof payload === "string" ? Buffer.from(payload) : Buffer.from(payload);
    const block = (options?.headers as { encode(): Uint8Array } | undefined)?.encode();
    const headers = block === undefined ? undefined : Buffer.from(block);
    const bytes = data.length + (headers?.length ?? 0);
    if (bytes > MAX_PAYLOAD)
      throw errors.InvalidArgumentError.format("payload", "max_payload size exceeded");
    this.#stats.outMsgs += 1;
    this.#stats.outBytes += bytes;
    const packet: Packet = { subject, reply: options?.reply ?? "", headers, data };
    this.#write((session) => session.publish(packet), packet);
  }

  publishMessage(): void {
    throw new errors.InvalidOperationError("publishMessage is not modelled");
  }

  respondMessage(msg: Msg): boolean {
    if (!msg.reply) return false;
    this.publish(msg.reply, msg.data, optionsOf(msg));
    return true;
  }

  subscribe(subject: string, options: SubscriptionOptions = {}): Subscription {
    this.#check(subject);
    if (this.isDraining()) throw new errors.DrainingConnectionError();
    const sid = (this.#lastSid += 1);
    const sub = new ModelSubscription(sid, subject, options, {
      unsubscribe: () => this.#unsubscribe(sid),
      leave: () => this.#write((session) => session.unsubscribe(sid)),
      flush: () => this.flush(),
      isClosed: () => this.isClosed(),
    });
    this.#subs.set(sid, sub);
    this.#write((session) => session.subscribe(sid, subject));
    return sub;
  }

  #unsubscribe(sid: number): void {
    if (!this.#subs.delete(sid) || this.isClosed()) return;
    this.#write((session) => session.unsubscribe(sid));
  }

  request(subject: string, payload?: Payload, options?: RequestOptions): Promise<Msg> {
    try {
      this.#check(subject);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#requests.ask(subject, payload, options);
  }

  requestMany(): Promise<AsyncIterable<Msg>> {
    return Promise.reject(new errors.InvalidOperationError("requestMany is not modelled"));
  }

  flush(): Promise<void> {
    if (this.isClosed()) return Promise.reject(new errors.ClosedConnectionError());
    const pong = Promise.withResolvers<void>();
    this.#pongs.push(pong);
    // A ping that is written while there is no connection is lost with all else, and its asker told
    // at the next dial.
    this.#write(() => this.#link.send("down", () => this.#pong()));
    return pong.promise;
  }

  async rtt(): Promise<number> {
    if (this.isClosed()) throw new errors.ClosedConnectionError();
    if (this.#session === undefined) throw new errors.RequestError("connection disconnected");
    const since = this.machine.clock.now();
    await this.flush();
    return this.machine.clock.now() - since;
  }

  async drain(): Promise<void> {
    if (this.isClosed()) throw new errors.ClosedConnectionError();
    if (this.isDraining()) throw new errors.DrainingConnectionError();
    this.#state = "draining";
    await Promise.allSettled([...this.#subs.values()].map((sub) => sub.drain()));
    await this.flush().catch(() => {});
    await this.close();
  }

  async close(): Promise<void> {
    if (this.isClosed()) return;
    this.#state = "closed";
    this.#pings?.cancel();
    this.#requests.close();
    const session = this.#session;
    // What was written before is on its way, and then the connection ends.
    if (session !== undefined) this.#link.send("up", () => session.end());
    this.#session = undefined;
    for (const sub of this.#subs.values()) sub.end();
    this.#subs.clear();
    this.#failPongs();
    this.#dispatch({ type: "close" });
    for (const status of this.#statuses) status.stop();
    this.#closed.resolve();
  }

  /** Its process is dead: nothing more happens here, and the system ends the connection. */
  die(): void {
    this.#isDead = true;
    this.#state = "closed";
    this.#pings?.cancel();
    this.#session?.end();
    this.#session = undefined;
    this.#link.cut();
  }

  closed(): Promise<void | Error> {
    return this.#closed.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  isClosed(): boolean {
    return this.#state === "closed";
  }

  isDraining(): boolean {
    return this.#state === "draining";
  }

  getServer(): string {
    return "127.0.0.1:4222";
  }

  getServers(): readonly Server[] {
    return [];
  }

  setServers(): void {}

  status(): AsyncIterable<Status> {
    const statuses = new QueuedIteratorImpl<Status>();
    this.#statuses.add(statuses);
    return statuses;
  }

  stats(): Stats {
    return { ...this.#stats };
  }

  async reconnect(): Promise<void> {
    this.#lose();
  }

  #check(subject: string): void {
    if (this.isClosed()) throw new errors.ClosedConnectionError();
    if (subject === "" || BAD_SUBJECT.test(subject)) throw new errors.InvalidSubjectError(subject);
  }

  #write(arrive: (session: Session) => void, packet?: Packet): void {
    const session = this.#session;
    if (session === undefined) this.#unsent.push(() => this.#write(arrive, packet));
    else this.#link.send("up", () => arrive(session), packet);
  }

  #pong(): void {
    this.#pingsOut = 0;
    this.#pongs.shift()?.resolve();
  }

  #failPongs(): void {
    for (const pong of this.#pongs.splice(0)) {
      pong.promise.catch(() => {});
      pong.reject(new errors.RequestError("connection disconnected"));
    }
  }

  #dispatch(status: Status): void {
    for (const statuses of this.#statuses) statuses.push(status);
  }

  /** One try. What was written since the connection was lost is thrown away. */
  async #dial(): Promise<boolean> {
    this.#unsent = [];
    this.#failPongs();
    if (!this.#link.isOpen) return false;
    const greeted = Promise.withResolvers<Session | undefined>();
    this.#link.send("up", () => {
      const session = this.#server.accept({
        deliver: (sid, packet) => this.#link.send("down", () => this.#receive(sid, packet)),
        reset: () => this.#reset(session),
      });
      this.#link.send("down", () => greeted.resolve(session));
    });
    const { clock } = this.machine;
    const late = clock.setTimer(PING_MS, () => greeted.resolve(undefined));
    const session = await greeted.promise;
    late.cancel();
    if (session === undefined || this.isClosed()) {
      session?.end();
      return false;
    }
    this.#session = session;
    this.#pingsOut = 0;
    this.#pings = every(clock, PING_MS, () => this.#ping());
    for (const sub of this.#subs.values())
      this.#link.send("up", () => session.subscribe(sub.sid, sub.subject));
    for (const write of this.#unsent.splice(0)) write();
    return true;
  }

  #ping(): void {
    this.#pingsOut += 1;
    if (this.#pingsOut > MOST_PINGS_OUT) {
      this.#dispatch({ type: "staleConnection" });
      return this.#lose();
    }
    this.flush().catch(() => {});
  }

  /**
   * Its server or the network has ended it: the client's system says so, if its process can hear.
   */
  #reset(session: Session | undefined): void {
    if (session === undefined) return;
    this.#link.cut();
    this.#link.send("down", () => {
      if (session === this.#session) this.#lose();
    });
  }

  /** The line is broken, and both ends know. */
  breakLine(): void {
    const session = this.#session;
    session?.end();
    this.#reset(session);
  }

  #lose(): void {
    const session = this.#session;
    if (session === undefined) return;
    session.end();
    this.#link.cut();
    this.#session = undefined;
    this.#pings?.cancel();
    this.#state = this.#state === "connected" ? "reconnecting" : this.#state;
    this.#failPongs();
    this.#dispatch({ type: "disconnect", server: this.getServer() });
    void this.#redial();
  }

  async #redial(): Promise<void> {
    while (!this.isClosed()) {
      if (await this.#dial()) {
        if (this.#state === "reconnecting") this.#state = "connected";
        this.#dispatch({ type: "reconnect", server: this.getServer() });
        return;
      }
      await sleep(this.machine.clock, RECONNECT_MS);
    }
  }

  #receive(sid: number, packet: Packet): void {
    const sub = this.#subs.get(sid);
    this.#stats.inMsgs += 1;
    this.#stats.inBytes += packet.data.length;
    sub?.receive(messageOf(sid, packet, this));
  }
}

function optionsOf({ reply, headers }: Msg): PublishOptions {
  return {
    ...(reply === undefined ? {} : { reply }),
    ...(headers === undefined ? {} : { headers }),
  };
}
