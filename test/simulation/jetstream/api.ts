import { Buffer } from "node:buffer";
import { type ConsumerSettings, Refusal, refusals } from "./api-types.ts";
import { consumerSettings, sameSettings, streamSettings } from "./defaults.ts";
import { DirectGets } from "./direct-gets.ts";
import { NOTHING, type Packet, packetOf } from "./packet.ts";
import { readPull } from "./pull-queue.ts";
import type { ModelServer } from "./server.ts";
import { ModelStream } from "./stream.ts";
import { overlap } from "./subject.ts";

interface MessageQuery {
  readonly seq?: number;
  readonly last_by_subj?: string;
  readonly next_by_subj?: string;
}

interface ListQuery {
  readonly subject?: string;
  readonly offset?: number;
  readonly subjects_filter?: string;
}

interface ConsumerQuery {
  readonly config: Partial<ConsumerSettings>;
  readonly action?: string;
}

const PREFIX = "$JS.API.";
const TYPE = "io.nats.jetstream.api.v1.";
const MOST_NAMES = 1_024;
const MOST_SUBJECTS = 100_000;

/** What JetStream answers on its subjects. */
export class Api {
  readonly #server: ModelServer;
  readonly #direct: DirectGets;

  constructor(server: ModelServer) {
    this.#server = server;
    this.#direct = new DirectGets(server);
  }

  /** @returns false where there is nobody to answer such a request */
  request(packet: Packet): boolean {
    const { subject, reply, data } = packet;
    const words = subject.slice(PREFIX.length).split(".");
    if (subject.startsWith(`${PREFIX}DIRECT.GET.`))
      return this.#direct.request(packet, words[2] ?? "");
    if (subject.startsWith(`${PREFIX}CONSUMER.MSG.NEXT.`))
      return this.#pull(words[3] ?? "", words[4] ?? "", reply, data);
    const answer = this.#answer(words, data);
    if (answer === undefined) return false;
    if (reply !== "") this.#server.send(reply, packetOf(reply, JSON.stringify(answer)));
    return true;
  }

  acknowledge({ subject, reply, data }: Packet): boolean {
    const words = subject.split(".");
    // Newer servers put the domain and the account before the stream.
    const [stream = "", consumer = "", , seq = ""] = words.slice(words.length > 9 ? 4 : 2);
    const found = this.#server.streams.get(stream)?.consumers.get(consumer);
    if (found === undefined) return false;
    found.answer(Number(seq), Buffer.from(data).toString("utf8").trim());
    if (reply !== "") this.#server.send(reply, packetOf(reply, NOTHING));
    return true;
  }

  #pull(stream: string, consumer: string, reply: string, data: Uint8Array): boolean {
    const found = this.#server.streams.get(stream)?.consumers.get(consumer);
    if (found === undefined) return false;
    found.pull(readPull(reply, Buffer.from(data).toString("utf8")));
    return true;
  }

  #answer(words: readonly string[], data: Uint8Array): object | undefined {
    const [family = "", verb = "", ...rest] = words;
    const body = (
      data.length === 0 ? {} : JSON.parse(Buffer.from(data).toString("utf8"))
    ) as object;
    if (family === "INFO") return this.#account();
    const isMessage = verb === "MSG";
    const action = isMessage
      ? (rest.shift() ?? "")
      : verb === "DURABLE"
        ? (rest.shift() ?? "")
        : verb;
    const kind = `${family.toLowerCase()}${isMessage ? "_msg" : ""}_${action.toLowerCase()}`;
    const type = `${TYPE}${kind}_response`;
    try {
      const answer =
        family === "STREAM"
          ? isMessage
            ? this.#message(action, rest[0] ?? "", body)
            : this.#stream(action, rest[0] ?? "", body)
          : family === "CONSUMER"
            ? this.#consumer(action, rest, body)
            : undefined;
      return answer === undefined ? undefined : { type, ...answer };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const zero =
        kind === "stream_info"
          ? { total: 0, offset: 0, limit: 0 }
          : kind === "stream_purge"
            ? { purged: 0 }
            : {};
      return { type, error: error.error, ...zero };
    }
  }

  #account(): object {
    const { streams } = this.#server;
    let consumers = 0;
    for (const stream of streams.values()) consumers += stream.consumers.size;
    const limits = { max_memory: -1, max_storage: -1, max_streams: -1, max_consumers: -1 };
    return {
      type: `${TYPE}account_info_response`,
      memory: 0,
      storage: 0,
      streams: streams.size,
      consumers,
      limits,
      api: { total: 0, errors: 0 },
    };
  }

  #stream(action: string, name: string, body: object): object | undefined {
    switch (action) {
      case "NAMES":
        return this.#names(body);
      case "INFO":
        return this.#streamInfo(name, body);
      case "CREATE":
        return this.#create(name, body);
      case "UPDATE":
        return this.#update(name, body);
      case "DELETE": {
        this.#found(name).end();
        this.#server.streams.delete(name);
        return { success: true };
      }
      case "PURGE":
        return { success: true, purged: this.#found(name).purge(body) };
      default:
        return undefined;
    }
  }

  #found(name: string): ModelStream {
    const stream = this.#server.streams.get(name);
    if (stream === undefined) throw refusals.noStream();
    return stream;
  }

  #names(query: ListQuery): object {
    const { subject, offset = 0 } = query;
    const names = [...this.#server.streams.values()]
      .filter(
        ({ config }) =>
          subject === undefined || config.subjects.some((pattern) => overlap(pattern, subject)),
      )
      .map(({ config }) => config.name)
      .toSorted();
    const page = names.slice(offset, offset + MOST_NAMES);
    return {
      total: names.length,
      offset,
      limit: MOST_NAMES,
      streams: page.length === 0 ? null : page,
    };
  }

  #streamInfo(name: string, { subjects_filter: filter }: ListQuery): object {
    const stream = this.#found(name);
    const info = stream.info(filter);
    const total = filter === undefined ? 0 : stream.messages.subjects(filter).length;
    return {
      total,
      offset: 0,
      limit: total === 0 ? 0 : MOST_SUBJECTS,
      ...info,
      cluster: { leader: "model" },
      ts: this.#time(),
    };
  }

  #create(name: string, body: object): object {
    const { streams, flavour } = this.#server;
    const wanted = streamSettings(body, flavour, name);
    const existing = streams.get(name);
    if (existing !== undefined) {
      if (!sameSettings(existing.config, wanted)) throw refusals.nameInUse();
      return { ...existing.info(), ts: this.#time() };
    }
    this.#requireOwnSubjects(name, wanted.subjects);
    const stream = new ModelStream(wanted, this.#server.owner);
    streams.set(name, stream);
    return { ...stream.info(), ts: this.#time(), did_create: true };
  }

  #update(name: string, body: object): object {
    const stream = this.#found(name);
    const wanted = streamSettings(body, this.#server.flavour, name);
    this.#requireOwnSubjects(name, wanted.subjects);
    stream.config = wanted;
    return { ...stream.info(), ts: this.#time() };
  }

  #requireOwnSubjects(name: string, subjects: readonly string[]): void {
    for (const { config } of this.#server.streams.values())
      if (
        config.name !== name &&
        config.subjects.some((taken) => subjects.some((wanted) => overlap(taken, wanted)))
      )
        throw refusals.overlap();
  }

  #message(action: string, name: string, query: MessageQuery): object | undefined {
    const { messages } = this.#found(name);
    const stream = this.#found(name);
    if (action === "DELETE") {
      const { seq = 0 } = query;
      if (seq > messages.lastSeq) throw refusals.notDeleted("stream store EOF");
      if (seq < messages.firstSeq) throw refusals.notDeleted("no message found");
      const removed = messages.get(seq);
      if (!stream.remove(seq)) throw refusals.noSequence(seq);
      if (removed !== undefined) this.#server.onRemoved?.(removed);
      return { success: true };
    }
    if (action !== "GET") return undefined;
    const { seq = 0, last_by_subj: last, next_by_subj: next } = query;
    const found =
      last !== undefined
        ? messages.lastOf(last)
        : next === undefined
          ? messages.get(seq)
          : messages.nextOf(Math.max(1, seq), next);
    if (found === undefined) throw refusals.noMessage();
    const { subject, headers, data, atMs } = found;
    return {
      message: {
        subject,
        seq: found.seq,
        ...(headers === undefined ? {} : { hdrs: Buffer.from(headers).toString("base64") }),
        ...(data.length === 0 ? {} : { data: Buffer.from(data).toString("base64") }),
        time: new Date(atMs).toISOString(),
      },
    };
  }

  #consumer(action: string, rest: readonly string[], body: object): object | undefined {
    const [name = "", consumer = ""] = rest;
    const stream = this.#found(name);
    switch (action) {
      case "CREATE":
        return this.#createConsumer(stream, consumer, body as ConsumerQuery);
      case "INFO": {
        const found = stream.consumers.get(consumer);
        if (found === undefined) throw refusals.noConsumer();
        return found.info;
      }
      case "LIST": {
        const all = [...stream.consumers.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
        const { offset = 0 } = body as ListQuery;
        const page = all.slice(offset).map(({ info }) => info);
        return { total: all.length, offset, limit: 256, consumers: page };
      }
      case "DELETE":
        if (!stream.removeConsumer(consumer, "409 Consumer Deleted")) throw refusals.noConsumer();
        return { success: true };
      default:
        return undefined;
    }
  }

  #createConsumer(stream: ModelStream, named: string, { config, action }: ConsumerQuery): object {
    const name = named || config.durable_name || config.name || `model${stream.consumers.size}`;
    const wanted = consumerSettings(config, this.#server.flavour, name);
    const existing = stream.consumers.get(name);
    if (existing !== undefined) {
      if (sameSettings(existing.config, wanted)) return existing.info;
      if (action === "create") throw refusals.consumerExists();
    } else if (action === "update") throw refusals.noConsumer();
    const filters = wanted.filter_subjects ?? [wanted.filter_subject ?? ">"];
    if (stream.config.retention === "workqueue")
      for (const other of stream.consumers.values())
        if (
          other.name !== name &&
          other.filters.some((taken) => filters.some((filter) => overlap(taken, filter)))
        )
          throw refusals.notUnique();
    if (existing === undefined) return stream.addConsumer(name, wanted).info;
    existing.reconfigure(wanted);
    return existing.info;
  }

  #time(): string {
    return new Date(this.#server.clock.now()).toISOString();
  }
}
