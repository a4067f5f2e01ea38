import type { FailureGroup } from "@millrace/core";
import type { KnownValues } from "../../filter/complete-filter.ts";
import type { AskedFailures } from "../failures-query.ts";
import {
  type AskedIndex,
  type EndedRate,
  type IndexCalls,
  type IndexSearch,
  type IndexSize,
  type News,
  NOTHING_READ,
  type RatesQuery,
} from "../index-calls.ts";

/** Makes an index on a place of its own. */
export type MakeIndex = () => Promise<AskedIndex>;

/** An index, asked as its follower and its readers ask it. */
export class OpenedIndex implements AsyncDisposable {
  readonly #index: AskedIndex;

  private constructor(index: AskedIndex) {
    this.#index = index;
  }

  static async at(make: MakeIndex, maxBytes = Number.MAX_SAFE_INTEGER): Promise<OpenedIndex> {
    const index = await make();
    await index.ask("open", { identity: "", maxBytes });
    return new OpenedIndex(index);
  }

  write(news: readonly News[]): Promise<boolean> {
    return this.#index.ask("write", { news, cursors: NOTHING_READ });
  }

  dropGone(queue: string, oldest: number, newest: number): Promise<void> {
    return this.#index.ask("dropGone", { queue, oldest, newest });
  }

  /** As it is where it may have no more. */
  async prune(before: number, heardBefore: number, maxBytes: number): Promise<void> {
    await this.#index.ask("open", { identity: "", maxBytes });
    await this.#index.ask("prune", { before, heardBefore });
  }

  search(asked: IndexSearch): Promise<ReturnType<IndexCalls["search"]>> {
    return this.#index.ask("search", asked);
  }

  rates(asked: RatesQuery): Promise<readonly EndedRate[]> {
    return this.#index.ask("rates", asked);
  }

  failures(asked: AskedFailures): Promise<readonly FailureGroup[]> {
    return this.#index.ask("failures", asked);
  }

  known(): Promise<KnownValues> {
    return this.#index.ask("known", {});
  }

  size(): Promise<IndexSize> {
    return this.#index.ask("size", {});
  }

  clear(): Promise<void> {
    return this.#index.ask("clear", {});
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#index.end();
  }
}
