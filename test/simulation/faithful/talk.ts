import type { Msg, NatsConnection, Subscription } from "@nats-io/nats-core";
import { createInbox, headers as newHeaders, RequestError } from "@nats-io/nats-core";
import { plainAnswer } from "./plain.ts";

/** What a script may do. Its answers are written down in the order in which it asks. */
export interface Talk {
  readonly nc: NatsConnection;
  /** Calls JetStream's API and writes the answer down. */
  api(subject: string, body?: unknown): Promise<unknown>;
  /** Publishes, and writes the acknowledgement down. */
  put(subject: string, data: string, headers?: Readonly<Record<string, string>>): Promise<void>;
  /** Hears what comes, as it comes. */
  hear(subject?: string): Heard;
  /** Lets time pass. */
  pass(ms: number): Promise<void>;
  note(line: string): void;
  /** The server's wall clock, more or less. */
  now(): number;
  /** How many copies of its streams there are. */
  readonly replicas: number;
  /** Of what is delivered; longer than a failure takes. */
  readonly leaseMs: number;
  /** The server fails, and is there again. What kind of failure it is, the surroundings say. */
  fail(): Promise<void>;
  /** Its leader is cut off from the majority, with this client. @returns ends it */
  part(): Promise<() => Promise<void>>;
}

/** What a talk needs of the server and the world that it is in. */
export interface Surroundings {
  readonly pause: (ms: number) => Promise<void>;
  readonly now: () => number;
  readonly replicas: number;
  readonly leaseMs: number;
  /** Resolves when the server answers again; the client may have lost its connection. */
  readonly fail: () => Promise<void>;
  /** Resolves when the majority has another leader, and what it returns when all are one again. */
  readonly part?: () => Promise<() => Promise<void>>;
}

export interface Heard {
  readonly inbox: string;
  readonly msgs: Msg[];
  /** Waits for so many more, writes all down, and forgets them. */
  come(count: number, withinMs?: number): Promise<readonly Msg[]>;
  /**
   * The same where it is a question of time which of them come first: they are written down in the
   * order of their stream, without the consumer's own count.
   */
  gather(count: number, withinMs?: number): Promise<void>;
  stop(): void;
}

const STEP_MS = 10;
/** Of the server, on a busy machine; and of what is sure to come. */
export const ANSWER_MS = 20_000;
const SEEN_MS = 20_000;

export class Talker implements Talk {
  readonly nc: NatsConnection;
  readonly lines: string[] = [];
  readonly #surroundings: Surroundings;

  constructor(nc: NatsConnection, surroundings: Surroundings) {
    this.nc = nc;
    this.#surroundings = surroundings;
  }

  now(): number {
    return this.#surroundings.now();
  }

  get replicas(): number {
    return this.#surroundings.replicas;
  }

  get leaseMs(): number {
    return this.#surroundings.leaseMs;
  }

  async fail(): Promise<void> {
    await this.#surroundings.fail();
    this.note("failed, and back");
  }

  async part(): Promise<() => Promise<void>> {
    const { part } = this.#surroundings;
    if (part === undefined) throw new Error("there is nobody to be parted from");
    return part();
  }

  note(line: string): void {
    this.lines.push(line);
  }

  pass(ms: number): Promise<void> {
    return this.#surroundings.pause(ms);
  }

  async api(subject: string, body?: unknown): Promise<unknown> {
    const payload = body === undefined ? "" : JSON.stringify(body);
    let answer = await this.#ask(subject, payload);
    for (let left = SEEN_MS; this.replicas > 1 && isNotYet(answer) && left > 0; left -= STEP_MS) {
      await this.pass(STEP_MS);
      answer = await this.#ask(subject, payload);
    }
    this.note(`${subject}: ${plainAnswer(answer)}`);
    try {
      return JSON.parse(answer);
    } catch {
      return undefined;
    }
  }

  async #ask(subject: string, payload: string): Promise<string> {
    try {
      const answer = await this.nc.request(`$JS.API.${subject}`, payload, { timeout: ANSWER_MS });
      return answer.string();
    } catch (error) {
      return (error as Error).name;
    }
  }

  async put(
    subject: string,
    data: string,
    headers?: Readonly<Record<string, string>>,
  ): Promise<void> {
    const block = newHeaders();
    for (const [name, value] of Object.entries(headers ?? {})) block.set(name, value);
    const options = {
      timeout: ANSWER_MS,
      ...(headers === undefined ? {} : { headers: block }),
    };
    // A member of a cluster may hear a moment later where a new stream's leader listens.
    for (let leftMs = this.replicas > 1 ? SEEN_MS : 0; ; leftMs -= STEP_MS)
      try {
        const reply = await this.nc.request(subject, data, options);
        return this.note(`put ${subject}: ${plainAnswer(reply.string())}`);
      } catch (error) {
        const isUnheard = error instanceof RequestError && error.isNoResponders();
        if (!isUnheard || leftMs <= 0) return this.note(`put ${subject}: ${(error as Error).name}`);
        await this.pass(STEP_MS);
      }
  }

  hear(subject: string = createInbox()): Heard {
    const msgs: Msg[] = [];
    const sub: Subscription = this.nc.subscribe(subject, {
      callback: (_error, msg) => void msgs.push(msg),
    });
    const take = async (count: number, withinMs: number): Promise<readonly Msg[]> => {
      for (let left = withinMs; msgs.length < count && left > 0; left -= STEP_MS)
        await this.pass(STEP_MS);
      return msgs.splice(0);
    };
    const note = (count: number, came: readonly string[]): void => {
      for (const line of came) this.note(`came ${line}`);
      if (came.length < count) this.note(`only ${came.length} of ${count} came`);
    };
    return {
      inbox: subject,
      msgs,
      come: async (count, withinMs = ANSWER_MS) => {
        const came = await take(count, withinMs);
        note(
          count,
          came.map((msg) => told(msg)),
        );
        return came;
      },
      gather: async (count, withinMs = ANSWER_MS) => {
        const came = await take(count, withinMs);
        const inOrder = came.toSorted((a, b) => streamNumber(a) - streamNumber(b));
        note(
          count,
          inOrder.map((msg) => told(msg, ACK_WITHOUT_COUNT)),
        );
      },
      stop: () => sub.unsubscribe(),
    };
  }
}

/** Asks the consumer W of the stream Q for messages. */
export function pull(talk: Talk, inbox: string, body: unknown): void {
  talk.nc.publish("$JS.API.CONSUMER.MSG.NEXT.Q.W", JSON.stringify(body), { reply: inbox });
}

/** The same for what is there now, once the consumer knows of it. */
export async function pullNow(talk: Talk, inbox: string, batch: number): Promise<void> {
  await untilSeen(talk);
  pull(talk, inbox, { batch, no_wait: true });
}

interface Seen {
  readonly state?: { readonly last_seq: number };
  readonly num_pending?: number;
  readonly delivered?: { readonly stream_seq: number };
}

/**
 * Waits until the consumer W of the stream Q knows of the last message. A server confirms a message
 * before its consumers have heard of it, so a pull that does not wait may still find nothing.
 */
async function untilSeen(talk: Pick<Talk, "nc" | "pass" | "replicas">): Promise<void> {
  const ask = async (subject: string): Promise<Seen> =>
    (await talk.nc.request(`$JS.API.${subject}`, "", { timeout: ANSWER_MS })).json<Seen>();
  for (let left = SEEN_MS; left > 0; left -= STEP_MS) {
    const { state } = await ask("STREAM.INFO.Q");
    const { delivered, num_pending: pending = 0 } = await ask("CONSUMER.INFO.Q.W");
    // In a cluster it hears of one after the other; there it is for all subjects of its stream.
    if (talk.replicas === 1 && pending > 0) return;
    if ((delivered?.stream_seq ?? 0) + pending >= (state?.last_seq ?? 0)) return;
    await talk.pass(STEP_MS);
  }
}

/** A holder's ack, and all that follows of it. */
export async function acked(
  talk: Pick<Talk, "nc" | "pass">,
  delivery: Msg | undefined,
): Promise<void> {
  await talk.nc.request(delivery?.reply ?? "", "+ACK", { timeout: ANSWER_MS });
  await untilRemoved(talk);
}

interface Kept {
  readonly state?: { readonly messages: number };
  readonly num_pending?: number;
  readonly num_ack_pending?: number;
}

/**
 * Waits until the stream Q keeps no more than its consumer W has to deliver or waits for. In a
 * cluster the consumer confirms an ack, and then asks the stream's leader to remove the message.
 */
export async function untilRemoved(talk: Pick<Talk, "nc" | "pass">): Promise<void> {
  const ask = async (subject: string): Promise<Kept> =>
    (await talk.nc.request(`$JS.API.${subject}`, "", { timeout: ANSWER_MS })).json<Kept>();
  for (let left = SEEN_MS; left > 0; left -= STEP_MS) {
    const { state } = await ask("STREAM.INFO.Q");
    const { num_pending: waiting = 0, num_ack_pending: sent = 0 } = await ask("CONSUMER.INFO.Q.W");
    if ((state?.messages ?? 0) <= waiting + sent) return;
    await talk.pass(STEP_MS);
  }
}

/**
 * Of these the name alone is compared. Nobody reads how many bytes a pull has left, and a busy 2.10
 * was seen to subtract a message twice.
 */
const UNTOLD: ReadonlySet<string> = new Set(["Nats-Time-Stamp", "Nats-Pending-Bytes"]);

/** A stream that was just made is not known to all members of a cluster at once. */
function isNotYet(answer: string): boolean {
  return answer.includes('"err_code":10059');
}

/** Stream, consumer, deliveries, its number in the stream; and the consumer's own. */
const ACK = 5;
const ACK_WITHOUT_COUNT = 4;

function told(msg: Msg, parts = ACK): string {
  const { headers } = msg;
  const status =
    headers !== undefined && headers.code !== 0 ? ` ${headers.code} ${headers.description}` : "";
  const fields = [...(headers ?? [])].map(([name, values]) =>
    UNTOLD.has(name) ? name : `${name}=${values.join(",")}`,
  );
  const place = placeOf(msg).slice(0, parts);
  const ack = place.length > 0 ? ` ack ${place.join(".")}` : "";
  const subject = msg.subject.startsWith("_INBOX") ? "inbox" : msg.subject;
  return `${subject}${status} [${fields.join(" ")}] ${msg.string()}${ack}`;
}

/** What its ack subject says, but for the time, what waits, and the account of newer servers. */
function placeOf({ reply = "" }: Msg): readonly string[] {
  const tokens = reply.split(".");
  if (tokens[1] !== "ACK") return [];
  const from = tokens.length > 9 ? 4 : 2;
  return tokens.slice(from, from + ACK);
}

/** What is no message of the stream's comes last. */
function streamNumber(msg: Msg): number {
  return Number(placeOf(msg)[3] ?? Infinity);
}
