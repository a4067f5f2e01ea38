/** A durable machine in a list, as it stands in JSON. */
export interface MachineRowView {
  readonly machine: string;
  readonly id: string;
  readonly status: "active" | "done" | "error" | "stopped";
  /** In words: `asking.open`; of parallel states each. */
  readonly state: string;
  readonly changedAt: number;
  /** When its next timer comes. */
  readonly nextAt?: number;
  /** Why it could not take its last event that failed. */
  readonly trouble?: string;
}

/** The same alone. What its context, its output, its errors and its events hold is masked. */
export interface MachineView extends MachineRowView {
  readonly version: number;
  readonly startedAt: number;
  readonly context: unknown;
  readonly output?: unknown;
  readonly error?: string;
  readonly failedEvent?: { readonly at: number; readonly event: string };
  /** Jobs whose end it waits for. */
  readonly jobs: readonly { readonly actor: string; readonly id: string; readonly queue: string }[];
  /** Events that come by themselves. */
  readonly timers: readonly { readonly at: number; readonly event: string }[];
  /** Its last transitions, the newest first. */
  readonly trail: readonly {
    readonly at: number;
    readonly event: string;
    readonly state: string;
  }[];
}
