import { type DocumentOptions, type DocumentStore, requireQueueName } from "@millrace/core";
import { machineOf } from "../machine/machine.ts";
import { ConfirmedPublisher } from "../publish/confirmed-publisher.ts";
import { DirectReads } from "../reads/direct-reads.ts";
import { type Wires, writeNamer } from "./document-writes.ts";
import { NatsDocuments } from "./documents.ts";
import { LookedAtDocuments } from "./looked-at-documents.ts";
import { openBucket } from "./open-bucket.ts";
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

/** The buckets of documents of a connection. They share its wires. */
export class DocumentBuckets {
  readonly #server: ServerAccess;
  readonly #replicas: number;
  readonly #report: (error: unknown, doing: string) => void;
  readonly #opened = new Map<string, Promise<DocumentStore>>();
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
    if (opened !== undefined) return opened;
    const name = this.#server.names.bucket(requireQueueName(bucket));
    const wires = (this.#wires ??= this.#newWires());
    const documents = new NatsDocuments(this.#server, wires, name, this.#report);
    if (look)
      return Promise.resolve(
        new LookedAtDocuments(documents, () => this.open(bucket, options), wires.clock),
      );
    const opening = openBucket(this.#server, name, { ...options, replicas: this.#replicas }).then(
      () => documents,
    );
    this.#opened.set(bucket, opening);
    // A failure is not kept: the next call tries again.
    opening.catch(() => this.#opened.delete(bucket));
    return opening;
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
