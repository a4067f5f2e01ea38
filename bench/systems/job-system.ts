import type { DurabilityClass } from "../servers/durability.ts";
import type { ServerKind } from "../servers/bench-servers.ts";
import type { payloadOf } from "../scenarios/no-op-job.ts";

export type Payload = ReturnType<typeof payloadOf>;

/**
 * A runtime for jobs with what a scenario asks of it, so that one scenario measures every runtime
 * in the same words.
 */
export interface JobSystem {
  readonly name: string;
  readonly server: ServerKind;
  /** Where it differs from the run's. */
  readonly durability?: DurabilityClass;
  /** Under a name nobody used before on this server. */
  open(url: string, namespace: string): Promise<JobQueue>;
}

export interface JobQueue extends AsyncDisposable {
  add(input: Payload): Promise<void>;
  /** By the fastest call there is for many; each is confirmed when it resolves. */
  addMany(inputs: readonly Payload[]): Promise<void>;
  /** `dueAt` in epoch milliseconds. */
  addLater(inputs: readonly Payload[], dueAt: (n: number) => number): Promise<void>;
  /** Starts one worker with the fastest settings for the job that its documentation has. */
  work(onStart: (n: number) => void | Promise<void>): Promise<JobWorker>;
  /** Waiting or running, counted by the server. */
  unfinished(): Promise<number>;
}

export interface JobWorker {
  stop(): Promise<void>;
}
