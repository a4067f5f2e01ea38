import { randomBytes } from "node:crypto";

const PREFIX = "millrace-m:";

/** What the id of a job that a machine has invoked says. */
export interface InvokedBy {
  /** The definition's name. */
  readonly machine: string;
  /** The machine's own. */
  readonly id: string;
  /** Which life of the machine's id: one that is removed may be started anew. */
  readonly run: string;
  /** How many jobs it had invoked by then, this one among them. */
  readonly number: number;
}

/**
 * Nobody knows it before the job is stored. A producer of the job's queue could else publish under
 * the id in advance: the job would be called a duplicate, and the machine wait for ever.
 */
export function newInvokedId({ machine, id, run, number }: InvokedBy): string {
  return `${PREFIX}${machine}:${id}:${run}:${number}:${randomBytes(8).toString("base64url")}`;
}

export function isInvoked({ id }: { readonly id: string }): boolean {
  return id.startsWith(PREFIX);
}

/**
 * The machine that has invoked a job. Asked for every settlement, so it is cheap for all others.
 *
 * @returns undefined for any other job, also for one that a producer has given such an id
 */
export function invokedBy(job: {
  readonly id: string;
  readonly sentFrom?: string;
}): InvokedBy | undefined {
  if (!isInvoked(job) || job.sentFrom !== undefined) return undefined;
  // A machine's id may have colons, the rest has none.
  const [machine, ...rest] = job.id.slice(PREFIX.length).split(":");
  rest.pop();
  const number = Number(rest.pop());
  const run = rest.pop();
  if (machine === undefined || run === undefined || rest.length === 0 || !(number > 0))
    return undefined;
  return { machine, id: rest.join(":"), run, number };
}
