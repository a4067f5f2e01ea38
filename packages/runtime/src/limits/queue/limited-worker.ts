/** What the limits of a queue see and move of its worker. */
export interface LimitedWorker {
  readonly slots: number;
  /** Jobs in its hands. */
  used(): number;
  /** Of those, how many were told to stop. */
  aborting(): number;
  /** There may be room: pull. */
  pull(): void;
  /** Pulls nothing; resolves when nothing can arrive any more. */
  pause(): Promise<void>;
  resume(): void;
  /** Tells the jobs that came last to stop: their permits are gone. */
  abortLatest(count: number): void;
}
