import { refusals } from "./api-types.ts";
import { fieldOf, type Packet } from "./packet.ts";

/** What is to be done with a message of an atomic batch. */
export type BatchStep =
  /** It waits for the last one. */
  | { readonly kind: "waits" }
  | { readonly kind: "commit"; readonly id: string; readonly packets: readonly Packet[] };

/** Messages that are stored as one, once the last of them is there. A crash forgets them. */
export class OpenBatches {
  readonly #open = new Map<string, Packet[]>();

  /**
   * @returns undefined where the message belongs to no batch
   * @throws Refusal where one of the batch is missing
   */
  take(packet: Packet): BatchStep | undefined {
    const id = fieldOf(packet.headers, "Nats-Batch-Id");
    if (id === undefined) return undefined;
    const sequence = Number(fieldOf(packet.headers, "Nats-Batch-Sequence"));
    const packets = sequence === 1 ? [] : this.#open.get(id);
    if (packets === undefined) throw refusals.incompleteBatch();
    if (packets.length !== sequence - 1) {
      this.#open.delete(id);
      throw refusals.incompleteBatch();
    }
    packets.push(packet);
    if (fieldOf(packet.headers, "Nats-Batch-Commit") === undefined) {
      this.#open.set(id, packets);
      return { kind: "waits" };
    }
    this.#open.delete(id);
    return { kind: "commit", id, packets };
  }

  clear(): void {
    this.#open.clear();
  }
}
