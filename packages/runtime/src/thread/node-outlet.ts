import {
  type EnqueueItemResult,
  type JobOutlet,
  MillraceError,
  type PreparedJob,
  requireSendable,
  unanswered,
} from "@millrace/core";
import { unpackError, unpackResult } from "./portable.ts";
import type { PortableSent, Said } from "./thread-protocol.ts";

interface Call {
  readonly resolve: (results: readonly EnqueueItemResult[]) => void;
  readonly reject: (error: Error) => void;
}

/** The way of an attempt's jobs from its thread to the node, which has the connection. */
export class NodeOutlet implements JobOutlet {
  readonly #say: (said: Said) => boolean;
  readonly #ended: () => MillraceError;
  readonly #carry: (job: PreparedJob) => PreparedJob;
  readonly #calls = new Map<number, Call>();
  #lastCall = 0;

  /**
   * @param say returns whether the node still listens
   * @param ended why nothing is enqueued where it does not
   * @param carry adds the context that a job was made in
   */
  constructor(
    say: (said: Said) => boolean,
    ended: () => MillraceError,
    carry: (job: PreparedJob) => PreparedJob,
  ) {
    this.#say = say;
    this.#ended = ended;
    this.#carry = carry;
  }

  readonly publish: JobOutlet["publish"] = (envelopes, { keys }) =>
    this.send(
      envelopes.map((envelope) =>
        keys?.has(envelope.id) === true ? { envelope, keyed: true } : { envelope },
      ),
    );

  /** A job whose payload can't be sent has its own error and stops no other. */
  readonly send = async (jobs: readonly PreparedJob[]): Promise<readonly EnqueueItemResult[]> => {
    const ready = jobs.map(portable);
    const sent = await this.#ask(ready.filter((one) => "envelope" in one));
    let next = 0;
    return ready.map((one) => {
      if (!("envelope" in one)) return one;
      const { id, queue } = one.envelope;
      return sent[next++] ?? { ok: false, id, queue, error: unanswered(id) };
    });
  };

  #ask(jobs: readonly PreparedJob[]): Promise<readonly EnqueueItemResult[]> {
    if (jobs.length === 0) return Promise.resolve([]);
    const call = (this.#lastCall += 1);
    return new Promise((resolve, reject) => {
      this.#calls.set(call, { resolve, reject });
      try {
        if (this.#say({ say: "enqueue", call, jobs: jobs.map(this.#carry) })) return;
        this.#calls.delete(call);
        reject(this.#ended());
      } catch (cause) {
        this.#calls.delete(call);
        reject(
          new MillraceError(
            "unserializable-payload",
            "A payload holds something that can't leave its thread. Send plain data.",
            { cause },
          ),
        );
      }
    });
  }

  answered(call: number, sent: PortableSent): void {
    const waiting = this.#calls.get(call);
    this.#calls.delete(call);
    if (sent.ok) waiting?.resolve(sent.results.map(unpackResult));
    else waiting?.reject(unpackError(sent.error));
  }
}

/** Its payload as it is sent: a clone in the node would not know what its objects were. */
function portable(job: PreparedJob): PreparedJob | Extract<EnqueueItemResult, { ok: false }> {
  const { envelope } = job;
  try {
    return {
      ...job,
      envelope: { ...envelope, payload: requireSendable(envelope.payload, "payload") },
    };
  } catch (error) {
    if (!MillraceError.is(error)) throw error;
    return { ok: false, id: envelope.id, queue: envelope.queue, error };
  }
}
