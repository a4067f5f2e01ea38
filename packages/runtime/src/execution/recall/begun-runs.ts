import type { Broker, DocumentStore, Envelope, QueueMessage } from "@millrace/core";
import { fateOf, type Holder, type HolderSeen } from "../../presence/holder.ts";
import { ALL_HEARD_AFTER_MS, type Heartbeats } from "../../presence/heartbeats.ts";
import { LOST_AFTER_MS } from "../../presence/node-report.ts";

const BUCKET = "suspects";
/** A server that stores heartbeats, each of them late, keeps a suspect so many times as long. */
const LONGEST_WAIT = 10;

/**
 * Records on the server which suspects began to run on their turn: a crash can't take it from
 * there. A delivery count alone would bury the wrong ones: the server also counts a delivery that
 * reached a process in its last moments and never ran.
 */
export class BegunRuns {
  readonly #broker: Broker;
  readonly #self: Holder;
  readonly #patienceMs: number;
  readonly #heartbeats: Pick<Heartbeats, "steadyMs" | "unstoredMs">;

  /**
   * @param self this node: who began a run
   * @param patienceMs for so long a node that has missed its heartbeats may still come back
   * @param heartbeats of this node: where the server has not stored them, it may not have stored
   *   others' either
   */
  constructor(
    broker: Broker,
    self: Holder,
    {
      patienceMs,
      heartbeats,
    }: {
      readonly patienceMs: number;
      readonly heartbeats: Pick<Heartbeats, "steadyMs" | "unstoredMs">;
    },
  ) {
    this.#broker = broker;
    this.#self = self;
    this.#patienceMs = patienceMs;
    this.#heartbeats = heartbeats;
  }

  /** Before the handler is called: confirmed, or it isn't called. */
  async begin(envelope: Envelope, { sequence }: QueueMessage): Promise<void> {
    const store = await this.#store();
    const { generation } = envelope;
    await store.put(keyOf(envelope), { sequence, generation, ...this.#self });
  }

  /**
   * Who started this very message on its turn.
   * @returns undefined where nobody did
   */
  async begun(envelope: Envelope, { sequence }: QueueMessage): Promise<HolderSeen | undefined> {
    const note = await (await this.#store()).get(keyOf(envelope));
    const value = note?.value as
      Partial<Record<"sequence" | "generation" | "node" | "instance", unknown>> | null | undefined;
    if (value?.sequence !== sequence || value.generation !== envelope.generation) return undefined;
    const { node, instance } = value;
    if (note === undefined || typeof node !== "string" || typeof instance !== "string")
      return undefined;
    return { node, instance, seenAt: note.updatedAt };
  }

  /**
   * Whether the node that began a run died in it. A holder that lives lost its lease otherwise: it
   * was frozen, or cut off, or waited for the server to take its outcome. Nothing is proved against
   * the job. Nor is it where the server takes nobody's heartbeats: whoever says first that it lives
   * again knows nothing of those that come next.
   *
   * @param since the server's clock, epoch milliseconds: a heartbeat after it counts
   * @returns undefined where that is not known yet
   */
  async wasTakenDown(holder: HolderSeen, since: number): Promise<boolean | undefined> {
    if (holder.instance === this.#self.instance) return false;
    const fate = await fateOf(this.#broker, holder, since, this.#patienceMs);
    if (fate === "lives" || fate === "gone") return fate === "gone";
    if (fate === "silent") return undefined;
    const waitedMs = (await this.#broker.serverNow()) - since;
    const { steadyMs, unstoredMs } = this.#heartbeats;
    const longestMs = LONGEST_WAIT * (LOST_AFTER_MS + this.#patienceMs);
    const isSlow = unstoredMs < LOST_AFTER_MS && waitedMs >= longestMs;
    if (steadyMs < ALL_HEARD_AFTER_MS && !isSlow) return undefined;
    const missedMs = fate === "unheard" ? LOST_AFTER_MS : 0;
    return waitedMs >= missedMs + this.#patienceMs ? true : undefined;
  }

  /** It ended with an outcome. A note left behind is harmless: its message is gone. */
  async over(envelope: Envelope): Promise<void> {
    await (await this.#store()).remove(keyOf(envelope));
  }

  #store(): Promise<DocumentStore> {
    return this.#broker.documents(BUCKET);
  }
}

function keyOf({ queue, id }: Envelope): string {
  return `${queue}.${id}`;
}
