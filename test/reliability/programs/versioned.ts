import { type BatchEnded, defineJob } from "millrace";

/** The one argument of the versioned program, as JSON. */
export interface VersionedConfig {
  readonly servers: string;
  readonly namespace: string;
  readonly version: Version;
  readonly slots: number;
  /** With a schedule that is due every second. */
  readonly ticks: boolean;
}

export type Version = "old" | "new";

export const SHARED = "shared";
export const TICK = "every-second";

export interface Input {
  /** So many attempts fail. */
  readonly fails?: number;
  /** Is fatal on nodes of this version. */
  readonly fatalOn?: Version;
  readonly key?: string;
}

/** Never over within a test: a retry is moved to now. */
const RETRY_MS = 600_000;
const job = (name: string) => ({
  name: `versioned.${name}`,
  queue: SHARED,
  retry: { attempts: 3, backoff: "fixed", base: RETRY_MS, jitter: false } as const,
});
const keyOf = ({ key = "" }: Input): string => key;

/**
 * The jobs by what they are for. `step` and `added` end at once; the others run until they are
 * released, or their node stops.
 */
export const JOBS = {
  step: defineJob<Input>(job("step")),
  /** Only nodes of today know it. */
  added: defineJob<Input>(job("added")),
  /** A batch's callback. */
  ended: defineJob<BatchEnded<null>>(job("ended")),
  hold: defineJob<Input>(job("hold")),
  alone: defineJob<Input>({ ...job("alone"), singleton: true }),
  keyed: defineJob<Input>({ ...job("keyed"), unique: { key: keyOf, while: "running" } }),
  capped: defineJob<Input>({ ...job("capped"), concurrency: { key: keyOf, limit: 1 } }),
} as const;

/** What the program is told over IPC. */
export type Told =
  | {
      readonly tell: "enqueue";
      readonly job: Exclude<keyof typeof JOBS, "ended">;
      readonly input: Input;
      readonly options: { readonly id: string; readonly delay?: number };
    }
  | { readonly tell: "release"; readonly id: string };

/** What the program says over IPC. */
export type Said =
  | { readonly say: "enqueued"; readonly id: string; readonly holder: string }
  | { readonly say: "started"; readonly id: string; readonly attempt: number }
  | { readonly say: "leading"; readonly leading: boolean };
