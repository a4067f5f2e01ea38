/** How many jobs, or what stands for them, are under way at once. */
export const AT_ONCE = 64;
/** Steps of the one job whose steps are timed. */
export const TIMED = 200;

/** What records steps. */
export interface StepContender extends AsyncDisposable {
  readonly name: string;
  /** Runs so many jobs of so many steps and waits for all their ends. */
  readonly run: (jobs: number, steps: number) => Promise<void>;
  /** Runs one job alone. @returns when each of its steps began, milliseconds */
  readonly beganAt: (steps: number) => Promise<readonly number[]>;
}

/** Each is begun when one before it has ended. */
export async function together(count: number, act: (n: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < count) await act(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

/** What each step gives back. */
export const resultOf = (n: number): { readonly n: number; readonly text: string } => ({
  ...{ n, text: "as much as a step gives back" },
});
