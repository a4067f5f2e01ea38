/**
 * Runs the cases side by side, as most of what they do is wait. Fails with the first one's error
 * under its name.
 */
export async function together(
  cases: Readonly<Record<string, () => Promise<void>>>,
): Promise<void> {
  await Promise.all(
    Object.entries(cases).map(async ([name, run]) => {
      try {
        await run();
      } catch (error) {
        const { message } = error as Error;
        throw new Error(`${name}: ${message}`, { cause: error });
      }
    }),
  );
}
