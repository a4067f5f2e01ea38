import { BatchShelf } from "../../../packages/testkit/src/memory/stores/memory-batches.ts";

/** All batches of a server, and which there are. */
export class SimBatches extends BatchShelf {
  readonly #ids = new Set<string>();

  override open(batch: Parameters<BatchShelf["open"]>[0]): void {
    this.#ids.add(batch.id);
    super.open(batch);
  }

  list(): readonly string[] {
    return [...this.#ids].filter((id) => this.find(id) !== undefined);
  }
}
