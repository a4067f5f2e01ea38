import { onTestFinished } from "vitest";

type Dispose = () => Promise<void> | void;

const atEndOfFile: Dispose[] = [];

/**
 * Disposes when the running test has finished; for what was made in a `beforeAll`, when the file
 * has.
 */
export function cleanUpLater(dispose: Dispose): void {
  try {
    onTestFinished(dispose);
  } catch {
    // Outside of a test there is nothing to finish: the file's end is next.
    atEndOfFile.push(dispose);
  }
}

/** Called by the leak check, after the file's own hooks. */
export async function cleanUpFile(): Promise<void> {
  for (const dispose of atEndOfFile.splice(0).reverse()) await dispose();
}
