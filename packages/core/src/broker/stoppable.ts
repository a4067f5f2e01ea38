export interface Stoppable {
  /** Idempotent; never hangs. */
  stop(): Promise<void>;
}
