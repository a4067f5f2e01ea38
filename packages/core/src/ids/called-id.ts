const PREFIX = "millrace-call:";

/** What tells a job that a step has called from every other: its id. */
export interface CalledBy {
  readonly id: string;
  readonly queue: string;
  readonly createdAt: number;
}

/** What tells it, of any job. */
export interface Called {
  readonly id: string;
  readonly parent?: { readonly id: string; readonly queue: string };
  readonly sentFrom?: string;
}

/**
 * The id of a called job. It says which run of its parent has called it, and nobody can know it in
 * advance.
 */
export function calledId({ createdAt }: Pick<CalledBy, "createdAt">, unique: string): string {
  return `${PREFIX}${Math.floor(createdAt)}:${unique}`;
}

export function isCalled({ id }: { readonly id: string }): boolean {
  return id.startsWith(PREFIX);
}

/**
 * The run that has called a job. Asked for every settlement, so it is cheap for all others.
 *
 * @returns undefined for any other job, also for one that a producer has given such an id
 */
export function calledBy(job: Called): CalledBy | undefined {
  if (!isCalled(job) || job.parent === undefined || job.sentFrom !== undefined) return undefined;
  const createdAt = Number.parseInt(job.id.slice(PREFIX.length), 10);
  return Number.isSafeInteger(createdAt) ? { ...job.parent, createdAt } : undefined;
}
