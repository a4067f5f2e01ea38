import type { EnqueueRef, StoredRecord } from "@millrace/core";
import { request } from "../jetstream-errors.ts";
import { lastMessage, type LeaderMessage } from "../reads/next-message.ts";
import { readStream } from "../reads/read-stream.ts";
import type { ServerAccess } from "../store/server-access.ts";
import type { DedupeWindows } from "../topology/dedupe-windows.ts";
import { plainBytes } from "../wire/plain-bytes.ts";
import { readHistoryRecord } from "../messages/history-message.ts";

export interface EndsOfId {
  /** The newest end of the id, of whichever enqueue and life. */
  readonly last: LeaderMessage | undefined;
  /** The one that keeps another end of the job from being recorded. */
  readonly end: StoredRecord | undefined;
}

/** Finds the end of a job among all ends of its id, which lie on one subject. */
export class JobEnds {
  readonly #server: ServerAccess;
  readonly #windows: DedupeWindows;

  constructor(server: ServerAccess, windows: DedupeWindows) {
    this.#server = server;
    this.#windows = windows;
  }

  /**
   * One read, where the id's newest end is the job's, or was stored before the job came. Otherwise
   * another job of the id ended after the job's own end, or while the job runs: then all are read.
   */
  async of(job: EnqueueRef): Promise<EndsOfId> {
    const { nc, jsm, names } = this.#server;
    const subject = names.history(job.queue, job.id, "ended");
    return request("read the history", async () => {
      const last = await lastMessage(jsm, names.historyStream, subject);
      if (last === undefined) return { last, end: undefined };
      const newest = stored(plainBytes(last.data), last.time.getTime());
      if (newest !== undefined && (await this.#windows.isItsEnd(newest, job)))
        return { last, end: newest };
      if (last.time.getTime() < (job.firstStoredAt ?? Number.POSITIVE_INFINITY))
        return { last, end: undefined };
      const range = { stream: names.historyStream, filter: subject };
      for await (const { sequence, storedAt, data } of readStream(nc, jsm, range)) {
        if (sequence >= last.seq) break;
        const end = stored(data, storedAt);
        if (end !== undefined && (await this.#windows.isItsEnd(end, job))) return { last, end };
      }
      return { last, end: undefined };
    });
  }
}

function stored(bytes: Uint8Array, storedAt: number): StoredRecord | undefined {
  const record = readHistoryRecord(bytes);
  return record && { record, storedAt };
}
