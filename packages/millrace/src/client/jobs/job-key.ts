import type { JobRef } from "@millrace/core";

/** One of the jobs that may have an id. */
export interface OneJob extends JobRef {
  /** Which enqueue of the id. Where it is not known, any. */
  readonly createdAt?: number;
}

/** Tells jobs apart, those of one id too where it is known when they were created. */
export function jobKey({ queue, id, createdAt }: OneJob): string {
  return createdAt === undefined ? `${queue}/${id}` : `${queue}/${id}/${createdAt}`;
}
