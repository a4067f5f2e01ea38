import { Buffer } from "node:buffer";
import type { Broker, DeadLetter } from "@millrace/core";
import { nuid } from "@nats-io/nats-core";
import { readDeadLetter } from "../../../packages/broker-nats/src/messages/dead-letter-headers.ts";
import { readHistoryRecord } from "../../../packages/broker-nats/src/messages/history-message.ts";
import type { Network } from "../broker/network.ts";
import { SimProcess } from "../engine/process.ts";
import type { Timeline } from "../engine/timeline.ts";
import type { ModelConnection } from "../jetstream/connection.ts";
import { type Flavour, FLAVOURS } from "../jetstream/flavour.ts";
import { type Crossed, Link } from "../jetstream/link.ts";
import { modelBroker } from "../jetstream/model-broker.ts";
import { blockOf, fieldOf, fieldsOf, type Packet, packetOf } from "../jetstream/packet.ts";
import { ModelServer } from "../jetstream/server.ts";
import type { Leftover, Realm, RealmOf, Tap } from "./realm.ts";

const NAMESPACE = "millrace";
const SUSPECTS = `$KV.${NAMESPACE}-suspects.`;
const MACHINES = `$KV.${NAMESPACE}-machines.`;
const LATENCY_MS = 1;
/** The parts of an id that nobody can foresee: no fault's name may hang on them. */
const UNFORESEEN = /(millrace-m[:=][\w:=-]+?)[:=][\w-]{11}([:=]\d+)[:=][\w-]{11}/g;

interface Line {
  readonly link: Link;
  nc: ModelConnection | undefined;
}

// The transport's own names begin with numbers of Math.random, once a process: not with a world's,
// or the first world would differ from the same one behind another.
nuid.next();

/** A world under the real broker-nats: a model of JetStream, and a link for each connection. */
export function natsRealm(flavour: Flavour = FLAVOURS["2.15"]): RealmOf {
  return (timeline, network, tap) => new NatsRealm(timeline, network, tap, flavour);
}

class NatsRealm implements Realm {
  readonly #timeline: Timeline;
  readonly #network: Network;
  readonly #server: ModelServer;
  readonly #lines = new Map<SimProcess, Line[]>();
  /** How often each was sent, by what it is and who sends it. */
  readonly #sent = new Map<string, number>();

  constructor(timeline: Timeline, network: Network, tap: Tap, flavour: Flavour) {
    this.#timeline = timeline;
    this.#network = network;
    this.#server = new ModelServer({ clock: new SimProcess("server", timeline).clock, flavour });
    this.#server.onStored = (subject, packet) => tell(tap, subject, packet);
    this.#server.onRemoved = ({ subject, headers, data }) => {
      const letter = letterOf(subject, headers, data);
      if (letter !== undefined) tap.withdrawn(letter);
    };
  }

  brokerFor(process: SimProcess): Promise<Broker> {
    const lines: Line[] = [];
    this.#lines.set(process, lines);
    process.onDeath(() => {
      for (const { nc } of lines) nc?.die();
      this.#lines.delete(process);
    });
    let names = 0;
    const newName = (): string => `${process.name}x${(names += 1)}`;
    return modelBroker({
      server: this.#server,
      machine: {
        clock: process.clock,
        random: () => Math.random(),
        newId: newName,
        newToken: newName,
      },
      newLink: () => {
        const link = new Link({
          clock: this.#server.clock,
          enter: (arrive) => process.receive(arrive),
          passage: (direction, packet) =>
            direction === "up" && packet !== undefined
              ? this.#passage(process, packet)
              : { delayMs: LATENCY_MS },
        });
        lines.push({ link, nc: undefined });
        return link;
      },
      onConnection: (nc) => {
        const line = lines.at(-1);
        if (line !== undefined) line.nc = nc;
      },
    });
  }

  #passage(process: SimProcess, packet: Packet): Crossed {
    if (!process.isRunning) return { delayMs: 0, isLost: true };
    const what = `${process.name} ${nameOf(packet)}`.replaceAll(UNFORESEEN, "$1$2");
    const tries = (this.#sent.get(what) ?? 0) + 1;
    this.#sent.set(what, tries);
    const point = `${what} ${tries}`;
    const { thereMs, fault } = this.#network.passage(point, process);
    const strike = (): void => {
      if (fault !== undefined) this.#network.strike(fault, point, process);
    };
    switch (fault) {
      case "kill-before":
      case "cut-before":
      case "crash-before":
        strike();
        return { delayMs: 0, isLost: true };
      case "kill-after":
      case "cut-after":
      case "crash-after":
        return { delayMs: thereMs, onArrival: strike };
      case "stop":
      case "freeze":
      case "elect":
        strike();
        return { delayMs: thereMs };
      case "slow":
      case undefined:
        return { delayMs: thereMs };
    }
  }

  cut(process: SimProcess, forMs: number): void {
    for (const { link, nc } of this.#lines.get(process) ?? []) {
      link.refuse(true);
      nc?.breakLine();
      this.#timeline.plan(forMs, () => link.refuse(false));
    }
  }

  crash(forgetMs: number, downMs: number): void {
    if (this.#server.isDown) return;
    this.#server.crash(forgetMs);
    this.#timeline.plan(downMs, () => this.#server.start());
  }

  /** A server that is alone elects nobody: it stands still. */
  elect(forMs: number): void {
    const lines = [...this.#lines.values()].flat();
    for (const { link } of lines) link.hold();
    this.#timeline.plan(forMs, () => {
      for (const { link } of lines) link.letGo();
    });
  }

  publishForeign({
    queue,
    messageId,
    body,
    headers,
  }: Parameters<Realm["publishForeign"]>[0]): void {
    if (this.#server.isDown) return;
    const block = blockOf([
      ...Object.entries(headers).filter(([name]) => name !== "nats-msg-id"),
      ["Nats-Msg-Id", messageId],
    ]);
    this.#server.receive(packetOf(`${NAMESPACE}.jobs.${queue}`, body, "", block));
  }

  leftovers(): readonly Leftover[] {
    const left: Leftover[] = [];
    for (const { config, messages } of this.#server.streams.values()) {
      const what = kindOf(config.name);
      if (what === undefined) continue;
      for (const { subject, seq, headers } of messages.values())
        left.push({ what, detail: `${subject} ${seq} ${fieldOf(headers, "Nats-Msg-Id") ?? ""}` });
    }
    return left;
  }
}

function kindOf(stream: string): Leftover["what"] | undefined {
  if (stream.startsWith(`${NAMESPACE}-queue-`)) return "queued";
  if (stream === `${NAMESPACE}-delayed`) return "delayed";
  if (stream === `${NAMESPACE}-blocked`) return "blocked";
  if (stream === `${NAMESPACE}-inbox` || stream === `${NAMESPACE}-timers`) return "event";
  return stream === `${NAMESPACE}-batches` ? "batch" : undefined;
}

/** What a packet is, without the names that a connection has made. */
function nameOf({ subject, headers, data }: Packet): string {
  const id = fieldOf(headers, "Nats-Msg-Id") ?? "";
  if (!subject.startsWith("$JS.")) return `${subject} ${id}`;
  const words = subject.split(".");
  if (words[1] !== "ACK") return subject;
  // Without the time and what waits.
  return `${words.slice(0, 7).join(".")} ${Buffer.from(data.subarray(0, 4)).toString("latin1")}`;
}

function tell(tap: Tap, subject: string, { headers, data }: Packet): void {
  if (subject.startsWith(`${NAMESPACE}.history.`)) {
    const record = readHistoryRecord(data);
    if (record !== undefined) tap.recorded(record);
  }
  if (subject.startsWith(SUSPECTS) && data.length > 0)
    tap.onQuarantine(subject.slice(SUSPECTS.length), JSON.parse(Buffer.from(data).toString()));
  if (subject.startsWith(MACHINES))
    tap.kept?.(
      subject.slice(MACHINES.length),
      data.length === 0 ? undefined : JSON.parse(Buffer.from(data).toString()),
    );
  const letter = letterOf(subject, headers, data);
  if (letter !== undefined) tap.buried(letter);
  const id = fieldOf(headers, "Nats-Msg-Id");
  if (id !== undefined && subject.startsWith(`${NAMESPACE}.jobs.`)) tap.stored?.(id);
}

function letterOf(
  subject: string,
  headers: Uint8Array | undefined,
  data: Uint8Array,
): DeadLetter | undefined {
  if (!subject.startsWith(`${NAMESPACE}.dead.`)) return undefined;
  const [queue = "", id = ""] = subject.split(".").slice(2);
  const fields = fieldsOf(headers).map(([name, value]) => [name.toLowerCase(), value] as const);
  return readDeadLetter(queue, id, data, Object.fromEntries(fields));
}
