import { Buffer } from "node:buffer";
import { type Packet, packetOf, statusPacket, withFields } from "./packet.ts";
import type { ModelServer } from "./server.ts";
import type { ModelStream } from "./stream.ts";
import type { Stored } from "./stored.ts";

interface Query {
  readonly seq?: number;
  readonly last_by_subj?: string;
  readonly next_by_subj?: string;
  readonly batch?: number;
  readonly max_bytes?: number;
}

const NOT_FOUND = "404 Message Not Found";

/** Reads that whoever has a copy answers: perhaps one that is behind. */
export class DirectGets {
  readonly #server: ModelServer;

  constructor(server: ModelServer) {
    this.#server = server;
  }

  request({ subject, reply, data }: Packet, name: string): boolean {
    const stream = this.#server.streams.get(name);
    if (stream === undefined || !stream.config.allow_direct) return false;
    const start = `$JS.API.DIRECT.GET.${name}.`;
    const query: Query = subject.startsWith(start)
      ? { last_by_subj: subject.slice(start.length) }
      : (JSON.parse(Buffer.from(data).toString("utf8")) as Query);
    if (query.batch !== undefined && this.#server.flavour.batchedGets)
      this.#batch(stream, reply, query);
    else this.#one(stream, reply, query);
    return true;
  }

  #one(stream: ModelStream, reply: string, query: Query): void {
    const { messages } = stream;
    const { seq = 1, last_by_subj: last, next_by_subj: next } = query;
    const found =
      last === undefined
        ? next === undefined
          ? messages.get(seq)
          : messages.nextOf(seq, next)
        : messages.lastOf(last);
    if (found === undefined || !this.#isSeen(found))
      return this.#server.send(reply, statusPacket(reply, NOT_FOUND));
    this.#server.send(reply, this.#packet(stream, reply, found));
  }

  #batch(stream: ModelStream, reply: string, query: Query): void {
    const { messages } = stream;
    const {
      batch = 1,
      max_bytes: most = Number.POSITIVE_INFINITY,
      next_by_subj: filter = ">",
    } = query;
    let from = query.seq ?? 1;
    let sent = 0;
    let bytes = 0;
    let last = 0;
    for (; sent < batch && bytes < most; sent += 1) {
      const found = messages.nextOf(from, filter);
      if (found === undefined || !this.#isSeen(found)) break;
      from = found.seq + 1;
      bytes += found.data.length + (found.headers?.length ?? 0);
      this.#server.send(
        reply,
        this.#packet(stream, reply, found, [
          ["Nats-Num-Pending", String(messages.count(from, filter))],
          ["Nats-Last-Sequence", String(last)],
        ]),
      );
      last = found.seq;
    }
    if (sent === 0) return this.#server.send(reply, statusPacket(reply, NOT_FOUND));
    this.#server.send(
      reply,
      statusPacket(reply, "204 EOB", [
        ["Nats-Num-Pending", messages.count(from, filter)],
        ["Nats-Last-Sequence", last],
      ]),
    );
  }

  #isSeen({ atMs }: Stored): boolean {
    return this.#server.staleMs === 0 || atMs <= this.#server.clock.now() - this.#server.staleMs;
  }

  #packet(
    stream: ModelStream,
    reply: string,
    { subject, seq, headers, data, atMs }: Stored,
    more: readonly (readonly [string, string])[] = [],
  ): Packet {
    const fields = [
      ["Nats-Stream", stream.config.name],
      ["Nats-Subject", subject],
      ["Nats-Sequence", String(seq)],
      ["Nats-Time-Stamp", new Date(atMs).toISOString()],
      ...more,
    ] as const;
    return packetOf(reply, data, "", withFields(headers, fields));
  }
}
