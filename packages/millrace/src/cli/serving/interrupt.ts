const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/**
 * Lets a command that waits end tidily at the first signal; a second one ends the process as it
 * would without this.
 *
 * @param act is given a signal that is aborted then
 */
export async function interruptible<Result>(
  act: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const controller = new AbortController();
  const interrupt = (): void => controller.abort();
  for (const name of SIGNALS) process.once(name, interrupt);
  try {
    return await act(controller.signal);
  } finally {
    for (const name of SIGNALS) process.off(name, interrupt);
  }
}

/** Resolves when the signal is aborted, at once where it is already. */
export async function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => resolve(), { once: true });
  if (!signal.aborted) await promise;
}
