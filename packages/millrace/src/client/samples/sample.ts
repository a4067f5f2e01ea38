/** One queue at one time. */
export interface QueueSample {
  readonly queued: number;
  readonly running: number;
  readonly delayed: number;
  readonly blocked: number;
  readonly dead: number;
  /** Age of the oldest unsettled job, milliseconds; 0 where there is none. */
  readonly oldestAgeMs: number;
}

/** The fleet at one time. */
export interface Sample {
  /** Epoch milliseconds, by the server's clock. */
  readonly at: number;
  readonly queues: Readonly<Record<string, QueueSample>>;
  /** Slots of all nodes, and how many of them were used. */
  readonly slots: number;
  readonly used: number;
}

/** The document bucket of samples. A key is ten minutes, and its document their samples. */
export const SAMPLES_BUCKET = "samples";
export const SPAN_MS = 10 * 60_000;
export const KEPT_MS = 7 * 86_400_000;

export function spanOf(at: number): string {
  return String(Math.floor(at / SPAN_MS));
}

const FIELDS = ["queued", "running", "delayed", "blocked", "dead", "oldestAgeMs"] as const;

/** Queues as lists of numbers: there are many of them. */
export function storedSamples(samples: readonly Sample[]): object {
  return {
    v: 1,
    samples: samples.map(({ at, queues, slots, used }) => ({
      ...{ at, slots, used },
      queues: Object.fromEntries(
        Object.entries(queues).map(([queue, of]) => [queue, FIELDS.map((field) => of[field])]),
      ),
    })),
  };
}

/** What another version or another program wrote there is left out. */
export function readSamples(value: unknown): readonly Sample[] {
  const { v, samples } = (value ?? {}) as { readonly v?: unknown; readonly samples?: unknown };
  return v === 1 && Array.isArray(samples) ? samples.flatMap(readSample) : [];
}

function readSample(value: unknown): readonly Sample[] {
  const { at, slots, used, queues } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (![at, slots, used].every(isCount) || typeof queues !== "object" || queues === null) return [];
  const read = Object.entries(queues).flatMap(([queue, numbers]) =>
    Array.isArray(numbers) && numbers.length >= FIELDS.length && numbers.every(isCount)
      ? [[queue, Object.fromEntries(FIELDS.map((field, place) => [field, numbers[place]]))]]
      : [],
  );
  return [
    {
      ...{ at: at as number, slots: slots as number, used: used as number },
      queues: Object.fromEntries(read) as Readonly<Record<string, QueueSample>>,
    },
  ];
}

function isCount(value: unknown): boolean {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

/** Whether nothing but time has passed between two of them. */
export function isSame(one: Sample, other: Sample): boolean {
  const told = ({ queues, slots, used }: Sample): string =>
    JSON.stringify([
      ...[slots, used],
      Object.entries(queues).map(([queue, { oldestAgeMs, ...counts }]) => [queue, counts]),
    ]);
  return told(one) === told(other);
}
