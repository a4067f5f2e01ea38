import { Buffer } from "node:buffer";
import type { Clock } from "@millrace/core";
import { Api } from "./api.ts";
import type { Surroundings } from "./surroundings.ts";
import type { Flavour } from "./flavour.ts";
import { FastBatches, placeOf } from "./fast-batches.ts";
import { Journal } from "./journal.ts";
import { OpenBatches } from "./open-batches.ts";
import { type Packet, packetOf, statusPacket } from "./packet.ts";
import { Refusal, refusals } from "./api-types.ts";
import type { Stored } from "./stored.ts";
import type { ModelStream, StreamOwner } from "./stream.ts";
import { ByPattern } from "./subject.ts";

/** A client's end of a connection, as its server sees it. */
export interface ClientEnd {
  deliver(sid: number, packet: Packet): void;
  /** The connection is gone: a reset, as the system sends for a process that died. */
  reset(): void;
}

interface Sub {
  readonly session: Session;
  readonly sid: number;
  readonly subject: string;
}

export interface ModelServerOptions {
  /** The server's own. */
  readonly clock: Clock;
  readonly flavour: Flavour;
  /**
   * Of a cluster of which all members are one to their clients. Default: a server that is alone.
   */
  readonly cluster?: string;
}

/**
 * `electing`: connections stand, and nothing has a leader. `parted`: the leader and all its clients
 * are cut off from the majority, which elects another.
 */
type State = "up" | "electing" | "parted" | "down";

/** What a leader without a majority still answers: it asks nobody for it. */
const READS = [
  "$JS.API.CONSUMER.MSG.NEXT.",
  "$JS.API.CONSUMER.INFO.",
  "$JS.API.DIRECT.GET.",
  "$JS.API.STREAM.INFO.",
  "$JS.API.STREAM.MSG.GET.",
];

/**
 * A NATS server with JetStream, as far as Millrace uses one, in memory and on a clock of its own.
 * What it answers is compared with real servers (`faithful.test.ts`).
 */
export class ModelServer {
  readonly clock: Clock;
  readonly flavour: Flavour;
  readonly cluster: string | undefined;
  readonly streams = new Map<string, ModelStream>();
  /** Direct gets are answered as of so long ago, as by a member that is behind. */
  staleMs = 0;
  /** The disk takes nothing more. */
  isFull = false;
  /** Told of every message that a client has removed. */
  onRemoved: ((message: Stored) => void) | undefined;
  /** Told of every message that is stored by whoever published it. */
  onStored: ((subject: string, packet: Packet) => void) | undefined;
  readonly #api: Api;
  readonly #journal: Journal;
  readonly #subs = new ByPattern<Sub>();
  readonly #sessions = new Set<Session>();
  readonly #batches = new OpenBatches();
  readonly #fastBatches = new FastBatches();
  #state: State = "up";

  constructor({ clock, flavour, cluster }: ModelServerOptions) {
    this.clock = clock;
    this.flavour = flavour;
    this.cluster = cluster;
    this.#journal = new Journal(clock);
    this.#api = new Api(this);
  }

  get isDown(): boolean {
    return this.#state === "down";
  }

  /** What streams and consumers need of it. */
  get owner(): StreamOwner {
    const surroundings: Surroundings = {
      clock: this.clock,
      flavour: this.flavour,
      send: (to, packet) => this.send(to, packet),
      isHeard: (subject) => this.isHeard(subject),
    };
    return { ...surroundings, journal: this.#journal, isFull: () => this.isFull };
  }

  /** @returns undefined where nobody listens at its door */
  accept(client: ClientEnd): Session | undefined {
    if (this.#state === "down") return undefined;
    const session = new Session(this, client);
    this.#sessions.add(session);
    return session;
  }

  forget(session: Session): void {
    if (!this.#sessions.delete(session)) return;
    for (const [sid, subject] of session.subjects) this.#unsubscribe(session, sid, subject);
    session.subjects.clear();
  }

  subscribe(session: Session, sid: number, subject: string): void {
    this.unsubscribe(session, sid);
    session.subjects.set(sid, subject);
    const sub = { session, sid, subject };
    session.subs.set(sid, sub);
    this.#subs.add(subject, sub);
    for (const stream of this.streams.values())
      for (const consumer of stream.consumers.values())
        if (consumer.config.deliver_subject === subject) consumer.dispatch();
  }

  unsubscribe(session: Session, sid: number): void {
    const subject = session.subjects.get(sid);
    if (subject === undefined) return;
    session.subjects.delete(sid);
    this.#unsubscribe(session, sid, subject);
  }

  #unsubscribe(session: Session, sid: number, subject: string): void {
    const sub = session.subs.get(sid);
    session.subs.delete(sid);
    if (sub !== undefined) this.#subs.remove(subject, sub);
  }

  isHeard(subject: string): boolean {
    return this.#subs.find(subject).length > 0;
  }

  send(to: string, packet: Packet): void {
    for (const { session, sid } of this.#subs.find(to)) session.client.deliver(sid, packet);
  }

  /** A client publishes. */
  receive(packet: Packet): void {
    const { subject, reply } = packet;
    const heard = this.#subs.find(subject);
    for (const { session, sid } of heard) session.client.deliver(sid, packet);
    const taken = this.#toJetStream(packet) || heard.length > 0;
    if (!taken && reply !== "")
      this.send(
        reply,
        statusPacket(reply, "503", this.flavour.namesUnheard ? [["Nats-Subject", subject]] : []),
      );
  }

  /** @returns whether it was for anybody there */
  #toJetStream(packet: Packet): boolean {
    const { subject } = packet;
    const electing = this.#state === "electing";
    // Whoever asks for what takes a majority waits.
    if (this.#state === "parted" && !isForOneAlone(packet))
      return subject.startsWith("$JS.") || this.streamOf(subject) !== undefined;
    // Nobody answers for the API meanwhile, and a consumer without a leader has no ears.
    if (subject.startsWith("$JS.API."))
      return electing ? !subject.includes(".MSG.NEXT.") : this.#api.request(packet);
    if (electing) return false;
    if (subject.startsWith("$JS.ACK.")) return this.#api.acknowledge(packet);
    const stream = this.streamOf(subject);
    if (stream === undefined) return false;
    this.#publish(stream, packet);
    return true;
  }

  streamOf(subject: string): ModelStream | undefined {
    for (const stream of this.streams.values()) if (stream.takes(subject)) return stream;
    return undefined;
  }

  #publish(stream: ModelStream, packet: Packet): void {
    const { reply } = packet;
    for (const answer of this.#answers(stream, packet))
      if (reply !== "") this.send(reply, packetOf(reply, answer));
  }

  #answers(stream: ModelStream, packet: Packet): readonly string[] {
    const place = this.flavour.fastBatches ? placeOf(packet.reply) : undefined;
    if (place === undefined) return [this.#answered(stream, packet)];
    const store = () => this.#put(stream, packet);
    return this.#fastBatches.take(stream, packet, place, store, this.clock.now());
  }

  #answered(stream: ModelStream, packet: Packet): string {
    const { name, allow_atomic: takesBatches } = stream.config;
    try {
      const step = this.flavour.atomicBatches ? this.#batches.take(packet) : undefined;
      if (step === undefined) return this.#stored(stream, packet);
      if (takesBatches !== true) throw refusals.noBatches();
      if (step.kind === "waits") return "";
      const seq = stream.publishAll(step.packets);
      for (const one of step.packets) this.onStored?.(one.subject, one);
      const count = step.packets.length;
      return JSON.stringify({ stream: name, seq, batch: step.id, count });
    } catch (error) {
      if (error instanceof Refusal)
        return JSON.stringify({ error: error.error, stream: name, seq: 0 });
      throw error;
    }
  }

  #stored(stream: ModelStream, packet: Packet): string {
    const { name } = stream.config;
    const { seq, duplicate } = this.#put(stream, packet);
    const start = `{"stream":"${name}",${this.flavour.spacedAck ? " " : ""}"seq":${seq}`;
    return duplicate ? `${start},"duplicate": true}` : `${start}}`;
  }

  #put(stream: ModelStream, packet: Packet): ReturnType<ModelStream["publish"]> {
    const put = stream.publish(packet);
    if (!put.duplicate) this.onStored?.(packet.subject, packet);
    return put;
  }

  /**
   * SIGKILL: nothing that is stored is lost, and what its consumers did last is.
   * @param forgetMs how far back
   */
  crash(forgetMs: number): void {
    this.#state = "down";
    this.#batches.clear();
    this.#fastBatches.clear();
    this.#dropAll();
    for (const stream of this.streams.values()) stream.halt();
    this.#journal.forget(forgetMs);
  }

  start(): void {
    if (this.#state !== "down") return;
    this.#state = "up";
    for (const stream of this.streams.values()) stream.restart();
  }

  /**
   * The leaders are gone and others are being elected: publishes have no responder, the API is
   * silent. Connections stand.
   *
   * @param forgetMs of the extensions, deliveries and acks that the old leaders had not agreed on
   */
  beginElection(forgetMs: number): void {
    if (this.#state !== "up") return;
    this.#state = "electing";
    for (const stream of this.streams.values()) stream.halt();
    this.#journal.forget(forgetMs);
  }

  endElection(): void {
    if (this.#state !== "electing") return;
    this.#beLed();
  }

  /**
   * Nothing is stored or confirmed from now on. The old leader goes on to answer reads, to deliver
   * and to extend leases.
   */
  part(): void {
    if (this.#state !== "up") return;
    this.#state = "parted";
    this.#journal.stop();
    for (const stream of this.streams.values()) stream.stop();
  }

  /** Whoever the majority elected knows nothing of what the old leader did alone. */
  heal(): void {
    if (this.#state !== "parted") return;
    for (const stream of this.streams.values()) stream.halt();
    this.#journal.forget(0);
    this.#beLed();
  }

  /** A new leader knows of each message id what the old one knew. */
  #beLed(): void {
    this.#state = "up";
    for (const stream of this.streams.values()) stream.lead();
  }

  #dropAll(): void {
    for (const session of [...this.#sessions]) {
      this.forget(session);
      session.client.reset();
    }
  }
}

function isForOneAlone({ subject, data }: Packet): boolean {
  if (subject.startsWith("$JS.ACK."))
    return Buffer.from(data.subarray(0, 4)).toString("latin1") === "+WPI";
  return READS.some((start) => subject.startsWith(start));
}

/** One connection, as its server keeps it. */
export class Session {
  readonly client: ClientEnd;
  readonly subjects = new Map<number, string>();
  readonly subs = new Map<number, Sub>();
  readonly #server: ModelServer;

  constructor(server: ModelServer, client: ClientEnd) {
    this.#server = server;
    this.client = client;
  }

  subscribe(sid: number, subject: string): void {
    this.#server.subscribe(this, sid, subject);
  }

  unsubscribe(sid: number): void {
    this.#server.unsubscribe(this, sid);
  }

  publish(packet: Packet): void {
    this.#server.receive(packet);
  }

  end(): void {
    this.#server.forget(this);
  }
}
