import { setTimeout as pause } from "node:timers/promises";
import { type AnyJob, type Broker, defineJob, type JobOptions, UNSETTLED } from "@millrace/core";
import { expect } from "vitest";

export const QUEUE = "work";

export interface Payload {
  readonly tenant: string;
  readonly ms?: number;
}

/** Who ran when, and the most of one tenant at once, over all nodes of this process. */
export class Ledger {
  readonly starts: { readonly id: string; readonly atMs: number; readonly token: number }[] = [];
  readonly ended: string[] = [];
  readonly #alive = new Map<string, number>();
  most = 0;

  job(options: Partial<JobOptions<Payload, Payload, void>>): AnyJob {
    return defineJob<Payload, Payload, void>({ name: "t", queue: QUEUE, ...options }).handler(
      async ({ job, input, token, signal }) => {
        const { tenant, ms = 5 } = input;
        this.starts.push({ id: job.id, atMs: performance.now(), token });
        const alive = (this.#alive.get(tenant) ?? 0) + 1;
        this.#alive.set(tenant, alive);
        this.most = Math.max(this.most, alive);
        await pause(ms, undefined, { signal }).finally(() =>
          this.#alive.set(tenant, (this.#alive.get(tenant) ?? 0) - 1),
        );
        this.ended.push(job.id);
      },
    );
  }
}

export async function enqueue(
  broker: Broker,
  ids: readonly string[],
  payload: unknown,
  fields: object = {},
): Promise<void> {
  const results = await broker.enqueue(
    ids.map((id) => ({
      ...UNSETTLED,
      id,
      name: "t",
      queue: QUEUE,
      payload,
      createdAt: Date.now(),
      headers: {},
      ...fields,
    })),
  );
  expect(results.filter(({ ok }) => !ok)).toEqual([]);
}

export const ids = (prefix: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`);
