import type { Timer } from "@millrace/core";
import type { JetStreamManager } from "@nats-io/jetstream";
import type { KvEntry } from "@nats-io/kv";
import { nanos, type Msg, type NatsConnection } from "@nats-io/nats-core";
import { hearOn } from "../connection/hear-on.ts";
import { isClustered } from "../connection/retrying-requests.ts";
import { machineOf } from "../machine/machine.ts";
import { every, quietly } from "../machine/timers.ts";
import { parseAckSubject } from "../pull/ack-subject.ts";
import { newInbox } from "../wire/inbox.ts";
import { readHeaders, readStatus } from "../wire/read-headers.ts";

/** What was written to a bucket; `key` as it is stored. */
export type BucketEntry = Pick<KvEntry, "key" | "operation" | "revision" | "value" | "created">;

export interface BucketReaderOptions {
  readonly nc: NatsConnection;
  readonly jsm: JetStreamManager;
  readonly bucket: string;
  /** The one key that is read, as it is stored. Default: all. */
  readonly only?: string | undefined;
  /** The first revision that is read. */
  readonly from: number;
  readonly onEntry: (entry: BucketEntry) => void;
  /**
   * Something may have been missed, or nothing comes any more: read anew from where this one got
   * to. Called once at most.
   */
  readonly onLost: () => void;
}

export interface BucketReader {
  /** Reads no more and takes the consumer from the server. Safe to call again. */
  stop(): void;
}

/** The server shows that it is alive at least this often. */
const HEARTBEAT_MS = 2_000;
/**
 * Looks of which each sees nothing: a stalled event loop has one for all it missed, and reads its
 * socket before the next.
 */
const SILENT_LOOKS = 4;
/** After this the server forgets a consumer whose reader was killed. */
const FORGOTTEN_MS = 30_000;
/**
 * The consumer lies on one member of a cluster. A server before 2.11 may choose one that is dead,
 * and then nobody answers: another is asked for, which may lie elsewhere. Nobody answers either
 * while the bucket has no leader, and a request waits longer each time for one.
 */
const ANSWERED_MS = 2_000;
/** Where several had no answer, the servers are slow. */
const ANSWERED_LATE_MS = 5_000;
const QUICK_TRIES = 5;
/** Of which one lies on a living member, if there is any. The last waits as any request does. */
const MOST_TRIES = 15;

/**
 * Reads a bucket's entries as they are written. The client's own ordered consumer has a heartbeat
 * of half a minute: where the member of a cluster dies that has the consumer, while the connection
 * is another's, it would know a minute later. And it is left behind when it is stopped, with five
 * minutes of work for the server: four of them for each node that ends.
 */
export async function openBucketReader(options: BucketReaderOptions): Promise<BucketReader> {
  for (let tries = 1; ; tries += 1) {
    const reader = new ConsumerReader(options);
    const isLast = !isClustered(options.nc) || tries === MOST_TRIES;
    const withinMs = tries <= QUICK_TRIES ? ANSWERED_MS : ANSWERED_LATE_MS;
    if (await reader.open(isLast ? undefined : withinMs)) return reader;
    reader.stop();
  }
}

class ConsumerReader implements BucketReader {
  readonly #options: BucketReaderOptions;
  readonly #stream: string;
  readonly #prefix: string;
  readonly #name: string;
  readonly #inbox: string;
  #unsubscribe: () => void = () => {};
  #looks: Timer | undefined;
  #silentLooks = 0;
  /** The consumer's own count; a gap shows that a message was lost on its way. */
  #delivered = 0;
  #over = false;

  constructor(options: BucketReaderOptions) {
    this.#options = options;
    this.#name = `watch-${machineOf(options.nc).newToken()}`;
    this.#stream = `KV_${options.bucket}`;
    this.#prefix = `$KV.${options.bucket}.`;
    this.#inbox = newInbox(options.nc);
  }

  /** @returns false where nobody has answered in time */
  async open(withinMs: number | undefined): Promise<boolean> {
    const { nc } = this.#options;
    const sub = hearOn(nc, this.#inbox, (error, msg) =>
      error === null ? this.#receive(msg) : this.#lose(),
    );
    this.#unsubscribe = () => sub.unsubscribe();
    const unanswered = Promise.withResolvers<false>();
    const timer =
      withinMs === undefined
        ? undefined
        : machineOf(nc).clock.setTimer(withinMs, () => unanswered.resolve(false));
    try {
      if (!(await Promise.race([this.#make(), unanswered.promise]))) return false;
    } catch (error) {
      this.#end();
      throw error;
    } finally {
      timer?.cancel();
    }
    if (!this.#over)
      this.#looks = quietly(every(machineOf(nc).clock, HEARTBEAT_MS, () => this.#look()));
    return true;
  }

  async #make(): Promise<true> {
    const { jsm, from, only = ">" } = this.#options;
    await jsm.consumers.add(this.#stream, {
      name: this.#name,
      deliver_subject: this.#inbox,
      deliver_policy: "by_start_sequence",
      opt_start_seq: from,
      filter_subject: this.#prefix + only,
      ack_policy: "none",
      max_deliver: 1,
      flow_control: true,
      idle_heartbeat: nanos(HEARTBEAT_MS),
      inactive_threshold: nanos(FORGOTTEN_MS),
      mem_storage: true,
      num_replicas: 1,
    });
    // The request was made again behind the back of who gave it up.
    if (this.#over) this.#remove();
    return true;
  }

  stop(): void {
    if (this.#over) return;
    this.#end();
    this.#remove();
  }

  #remove(): void {
    const { nc } = this.#options;
    if (nc.isClosed() || nc.isDraining()) return;
    // Nobody waits for the answer: whoever stops may be cut off, and then the server forgets the
    // consumer by itself.
    nc.publish(`$JS.API.CONSUMER.DELETE.${this.#stream}.${this.#name}`, "", {
      reply: newInbox(nc),
    });
  }

  #receive(msg: Msg): void {
    if (this.#over) return;
    this.#silentLooks = 0;
    if (readStatus(msg).code === 100) return this.#heed(msg);
    const place = parseAckSubject(msg.reply ?? "");
    if (place === undefined || place.consumerSequence !== this.#delivered + 1) return this.#lose();
    this.#delivered = place.consumerSequence;
    this.#options.onEntry({
      key: msg.subject.slice(this.#prefix.length),
      operation: operationOf(msg),
      revision: place.streamSequence,
      value: msg.data,
      created: new Date(place.publishedAtMs),
    });
  }

  /** A heartbeat, or the question whether more may be sent. */
  #heed(msg: Msg): void {
    const headers = readHeaders(msg);
    const goOn = msg.reply || headers["nats-consumer-stalled"];
    if (goOn !== undefined && goOn !== "") this.#options.nc.publish(goOn);
    const last = headers["nats-last-consumer"];
    if (last !== undefined && Number(last) > this.#delivered) this.#lose();
  }

  #look(): void {
    this.#silentLooks += 1;
    if (this.#silentLooks >= SILENT_LOOKS) this.#lose();
  }

  #lose(): void {
    if (this.#over) return;
    this.stop();
    this.#options.onLost();
  }

  #end(): void {
    this.#over = true;
    this.#looks?.cancel();
    this.#unsubscribe();
  }
}

/** A mark of the server's stands for a value that has run out. */
function operationOf(msg: Msg): KvEntry["operation"] {
  const headers = readHeaders(msg);
  if (headers["nats-marker-reason"] === "MaxAge") return "PURGE";
  const operation = headers["kv-operation"];
  return operation === "DEL" || operation === "PURGE" ? operation : "PUT";
}
