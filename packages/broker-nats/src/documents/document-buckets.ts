import {
  type DocumentOptions,
  type DocumentStore,
  MACHINES_BUCKET,
  requireQueueName,
  SCHEDULES,
} from "@millrace/core";
import { machineOf } from "../machine/machine.ts";
import { ConfirmedPublisher } from "../publish/confirmed-publisher.ts";
import { DirectReads } from "../reads/direct-reads.ts";
import { type Wires, writeNamer } from "./document-writes.ts";
import { NatsDocuments } from "./documents.ts";
import { LookedAtDocuments } from "./looked-at-documents.ts";
import { type BucketOptions, openBucket } from "./open-bucket.ts";
import { LeaderReads } from "../reads/leader-reads.ts";
import type { ServerAccess } from "../store/server-access.ts";

/**
 * A compare-and-set is not sent twice: it would be refused for its own first copy. What reached
 * nobody is, twice a second.
 */
const WRITES = {
  ...{ repeatable: false, attemptTimeoutMs: 500, timeoutMs: 2_000 },
  tellsUndecided: true,
};

/**
 * To who reads one of these that was removed, an empty one would say that there is no such machine,
 * whose events are dropped then, or no such schedule. It is made anew by who writes to it.
 */
const LASTING: ReadonlySet<string> = new Set([MACHINES_BUCKET, SCHEDULES]);

/** The buckets of documents of a connection. They share its wires. */
export class DocumentBuckets {
  readonly #server: ServerAccess;
  readonly #replicas: number;
  readonly #report: (error: unknown, doing: string) => void;
  readonly #opened = new Map<string, Promise<DocumentStore>>();
  /** One for each bucket: what it asks of replicas it asks as long as the connection is there. */
  readonly #lookedAt = new Map<string, DocumentStore>();
  /** By buckets that were removed under way. */
  readonly #remaking = new Map<string, Promise<void>>();
  /** Made with the first bucket. */
  #wires: Wires | undefined;

  constructor(
    server: ServerAccess,
    replicas: number,
    report: (error: unknown, doing: string) => void,
  ) {
    this.#server = server;
    this.#replicas = replicas;
    this.#report = report;
  }

  /** @param options.look the bucket is made by what needs it, and else by nothing */
  open(bucket: string, { look = false, ...options }: DocumentOptions = {}): Promise<DocumentStore> {
    const opened = this.#opened.get(bucket);
    if (opened !== undefined && !look) return opened;
    const name = this.#server.names.bucket(requireQueueName(bucket));
    const wires = (this.#wires ??= this.#newWires());
    if (look) {
      const known = this.#lookedAt.get(bucket);
      if (known !== undefined) return Promise.resolve(known);
      const lookedAt = new LookedAtDocuments(
        new NatsDocuments(this.#server, wires, name, this.#report),
        () => this.open(bucket, options),
        wires.clock,
      );
      this.#lookedAt.set(bucket, lookedAt);
      return Promise.resolve(lookedAt);
    }
    const made = { ...options, replicas: this.#replicas };
    const documents = new NatsDocuments(this.#server, wires, name, this.#report, async (by) => {
      if (by === "reader" && LASTING.has(bucket)) return false;
      await this.#remake(name, made);
      return true;
    });
    const opening = openBucket(this.#server, name, made).then(() => documents);
    this.#opened.set(bucket, opening);
    // A failure is not kept: the next call tries again.
    opening.catch(() => this.#opened.delete(bucket));
    return opening;
  }

  /** Who meets its absence at the same time shares the making. */
  #remake(name: string, options: BucketOptions): Promise<void> {
    const under = this.#remaking.get(name);
    if (under !== undefined) return under;
    const remaking = openBucket(this.#server, name, options).finally(() =>
      this.#remaking.delete(name),
    );
    this.#remaking.set(name, remaking);
    return remaking;
  }

  async close(): Promise<void> {
    const { publisher, reads, directReads } = this.#wires ?? {};
    await Promise.all([publisher?.close(), reads?.close(), directReads?.close()]);
  }

  #newWires(): Wires {
    const { nc } = this.#server;
    const machine = machineOf(nc);
    return {
      clock: machine.clock,
      nameWrite: writeNamer(machine),
      publisher: new ConfirmedPublisher(nc, WRITES),
      reads: new LeaderReads(nc),
      directReads: new DirectReads(nc),
    };
  }
}
