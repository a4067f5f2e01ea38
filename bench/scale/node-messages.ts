/** What a node program is started with. */
export interface NodeSetup {
  readonly url: string;
  readonly namespace: string;
  readonly queues: number;
  /** Of each queue. */
  readonly slots: number;
}

export type NodeTold = { readonly do: "start" } | { readonly do: "stop" } | { readonly do: "end" };

/** Counts are since the program began. */
export type NodeSaid =
  | { readonly say: "ready" }
  | { readonly say: "progress"; readonly succeeded: number; readonly deferred: number }
  | {
      readonly say: "stopped";
      readonly succeeded: number;
      readonly deferred: number;
      /** Of jobs that were due at a time, since the last stop; milliseconds. */
      readonly lateness: readonly number[];
    };
