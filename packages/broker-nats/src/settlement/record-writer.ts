import {
  alreadyEnded,
  type Clock,
  type HistoryRecord,
  MillraceError,
  type SettlementStep,
} from "@millrace/core";
import { machineOf } from "../machine/machine.ts";
import { sleep } from "../machine/timers.ts";
import type { OutgoingMessage } from "../publish/batch.ts";
import type { ConfirmedPublisher } from "../publish/confirmed-publisher.ts";
import type { ServerAccess } from "../store/server-access.ts";
import type { SizeLimits } from "../topology/size-limits.ts";
import { encodeHeaders } from "../wire/headers.ts";
import { plainBytes } from "../wire/plain-bytes.ts";
import { writeHistoryRecord } from "../messages/history-message.ts";
import type { JobEnds } from "./job-ends.ts";
import { EXPECTED_SEQUENCE } from "../wire/expected-sequence.ts";

const CONFLICT_PAUSE_MS = 50;
/** For who can't read the record. */
const STATE = "Millrace-State";
/** The headers of first ends, nearly all of them: the same bytes each time. */
const firstHeaders = new Map<string, Uint8Array>();
/** Subject and framing around a record's body. */
const RECORD_ROOM = 1024;

export type RecordStep = Extract<SettlementStep, { readonly do: "record" }>;

export interface RecordWriterOptions {
  readonly server: ServerAccess;
  readonly publisher: ConfirmedPublisher;
  readonly ends: JobEnds;
  readonly limits: SizeLimits;
}

/** Writes records into the history: of the ends of one job the first. */
export class RecordWriter {
  readonly #options: RecordWriterOptions;
  readonly #clock: Clock;

  constructor(options: RecordWriterOptions) {
    this.#options = options;
    this.#clock = machineOf(options.server.nc).clock;
  }

  /** An end goes where the job's ends lie, and is taken as the first there. */
  publication({ record }: RecordStep, after = 0): OutgoingMessage {
    const { server, limits } = this.#options;
    const { queue, id, state } = record;
    return {
      subject: server.names.history(queue, id, state === "requeued" ? "requeued" : "ended"),
      data: writeHistoryRecord(record, limits.server - RECORD_ROOM, server.maxValues),
      headers: endHeaders(record, after),
    };
  }

  /**
   * An end that was refused, because there is one already: this very one, whose acknowledgement was
   * lost; another run's; or that of an earlier job of the same id, or of an earlier life. Behind
   * the last it is recorded.
   *
   * @throws MillraceError `already-ended`
   */
  async recordAfterLast(step: RecordStep, revoked: () => MillraceError | undefined): Promise<void> {
    const { record } = step;
    for (;;) {
      const { last, end } = await this.#options.ends.of(record);
      const { subject, data, headers } = this.publication(step, last?.seq);
      if (last !== undefined && Buffer.compare(plainBytes(last.data), data) === 0) return;
      if (end !== undefined) throw alreadyEnded(record);
      try {
        await this.#options.publisher.publish(subject, data, headers, revoked);
        return;
      } catch (error) {
        if (!MillraceError.is(error, "conflict")) throw error;
        // Another end came meanwhile, or a copy of this one is on its way into a replicated stream.
        await sleep(this.#clock, CONFLICT_PAUSE_MS);
      }
    }
  }
}

function endHeaders(
  { state, firstStoredAt }: HistoryRecord,
  after: number,
): OutgoingMessage["headers"] {
  if (state === "requeued") return undefined;
  // A job that ended without a run of its own is no end of a run, and is taken in any case.
  if (firstStoredAt === undefined) return { [STATE]: state };
  if (after > 0) return { [STATE]: state, [EXPECTED_SEQUENCE]: `${after}` };
  let headers = firstHeaders.get(state);
  if (headers === undefined)
    firstHeaders.set(
      state,
      (headers = encodeHeaders({ [STATE]: state, [EXPECTED_SEQUENCE]: "0" })),
    );
  return headers;
}
