import { createHash } from "node:crypto";
import {
  type JournalStore,
  MillraceError,
  requirePlace,
  type RunRef,
  type StepReadOptions,
  type StepRef,
  type StepWriteOptions,
  type StoredStep,
} from "@millrace/core";
import { orWithoutStream, request } from "../jetstream-errors.ts";
import { machineOf } from "../machine/machine.ts";
import type { ConfirmedPublisher } from "../publish/confirmed-publisher.ts";
import { revokedWith } from "../settlement/lease-over.ts";
import { StreamOnce } from "../topology/stream-once.ts";
import { journalStream } from "../topology/streams.ts";
import { behindBarrier } from "../reads/behind-barrier.ts";
import { LeaderReads } from "../reads/leader-reads.ts";
import type { ServerAccess } from "./server-access.ts";
import { EXPECTED_SEQUENCE } from "../wire/expected-sequence.ts";
import { encodeHeaders } from "../wire/headers.ts";

/** Longer than an election. */
const MOST_TRIES = 300;
const REST_MS = 50;
/** Somebody removes the stream under those who write. */
const MOST_REMAKES = 3;
/** The server counts them, too. */
const HEADER_BYTES = encodeHeaders({ [EXPECTED_SEQUENCE]: `${Number.MAX_SAFE_INTEGER}` }).length;
/** 132 bits: two names of one run never share a token. */
const TOKEN_LENGTH = 22;

export interface JournalOptions {
  readonly server: ServerAccess;
  readonly publisher: ConfirmedPublisher;
  readonly replicas: number;
}

/**
 * The steps of jobs in one stream: a message a step, on a subject of its own, written only where
 * nothing lies there. So of two holders of a job the first one's record counts, and the other is
 * told so.
 *
 * Read from the stream's leader, or a step that was recorded a moment ago might be run again: it
 * lists a run's subjects, and each is then read, all at once.
 */
export class NatsJournal implements JournalStore {
  readonly #server: ServerAccess;
  readonly #publisher: ConfirmedPublisher;
  readonly #stream: StreamOnce;
  #reads: LeaderReads | undefined;

  constructor({ server, publisher, replicas }: JournalOptions) {
    this.#server = server;
    this.#publisher = publisher;
    this.#stream = new StreamOnce(server, journalStream(server.names, replicas));
  }

  get maxBytes(): number {
    return (this.#server.nc.info?.max_payload ?? Infinity) - HEADER_BYTES;
  }

  async read(run: RunRef, { once = false }: StepReadOptions = {}): Promise<readonly StoredStep[]> {
    const list = (): Promise<readonly string[]> => this.#subjects(run);
    const { journalStream: stream } = this.#server.names;
    const subjects = await (once ? behindBarrier(this.#server, stream, list) : list());
    const steps = await Promise.all(subjects.map((subject) => this.#last(subject)));
    return steps.filter((step) => step !== undefined);
  }

  async write(
    run: RunRef,
    step: StepRef,
    data: Uint8Array,
    { expected = 0, lease }: StepWriteOptions = {},
  ): Promise<StoredStep> {
    const subject = this.#server.names.journalStep(run, tokenOf(step));
    const revoked = revokedWith(lease, `a step of the job ${run.id} is recorded`);
    const headers = { [EXPECTED_SEQUENCE]: String(expected) };
    for (let tries = 0, remakes = 0; ; tries += 1) {
      await this.#stream.ensure();
      try {
        const { sequence } = await this.#publisher.publish(subject, data, headers, revoked);
        return { data, revision: sequence };
      } catch (error) {
        if (MillraceError.is(error, "queue-not-found")) {
          this.#stream.forget();
          // It is made when it is needed, and a step that has run must not run again for it.
          if ((remakes += 1) <= MOST_REMAKES) continue;
        }
        if (!MillraceError.is(error, "conflict")) throw error;
        // Another holder's, or an earlier copy of this very message: the first one counts.
        const there = await this.#last(subject);
        if (there !== undefined && there.revision > expected) return there;
        // In a cluster that one may be under way still, and may yet be lost with the leader. Or a
        // leader that has been replaced refused this, and shows what was there before.
        const isUnderWay = there !== undefined || expected === 0;
        if (!isUnderWay || tries >= MOST_TRIES) throw error;
      }
      await this.#rest();
    }
  }

  #rest(): Promise<void> {
    const { clock } = machineOf(this.#server.nc);
    return new Promise((resolve) => clock.setTimer(REST_MS, resolve));
  }

  async remove(run: RunRef): Promise<void> {
    requirePlace(run);
    const { jsm, names } = this.#server;
    await request(`forget the steps of the job ${run.id}`, () =>
      orWithoutStream(undefined, async () => {
        await jsm.streams.purge(names.journalStream, { filter: names.journalStep(run, ">") });
      }),
    );
  }

  async close(): Promise<void> {
    await this.#reads?.close();
  }

  async #subjects(run: RunRef): Promise<readonly string[]> {
    requirePlace(run);
    const { jsm, names } = this.#server;
    return request(`read the steps of the job ${run.id}`, () =>
      orWithoutStream<readonly string[]>([], async () => {
        const { state } = await jsm.streams.info(names.journalStream, {
          subjects_filter: names.journalStep(run, ">"),
        });
        return Object.keys(state.subjects ?? {});
      }),
    );
  }

  async #last(subject: string): Promise<StoredStep | undefined> {
    const { nc, names } = this.#server;
    this.#reads ??= new LeaderReads(nc);
    const found = await this.#reads.last(names.journalStream, subject);
    return found && { data: found.data, revision: found.sequence };
  }
}

/** A name is any text, and a subject's token is not. */
function tokenOf({ name, n }: StepRef): string {
  const token = createHash("sha256").update(name).digest("base64url").slice(0, TOKEN_LENGTH);
  return `${token}.${n}`;
}
