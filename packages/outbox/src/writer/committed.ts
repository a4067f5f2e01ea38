/** Begins a transaction, runs the function in it, and commits; rolls back where it throws. */
export type Begin<Tx> = (act: (tx: Tx) => Promise<void>) => PromiseLike<unknown>;

type End<Output> = { readonly output: Output } | { readonly error: unknown };

/**
 * What the function gave in the transaction that was committed. Libraries don't agree on what they
 * hand back of it, and some run it again where the database asks for that: its last run counts.
 *
 * @throws what the function threw, also where `begin` keeps it to itself; what `begin` throws
 */
export async function committed<Tx, Output>(
  begin: Begin<Tx>,
  act: (tx: Tx) => Promise<Output>,
): Promise<Output> {
  let end: End<Output> = { error: new Error("The transaction was ended before it had begun.") };
  await begin(async (tx) => {
    try {
      end = { output: await act(tx) };
    } catch (error) {
      end = { error };
      throw error;
    }
  });
  return outputOf(end);
}

function outputOf<Output>(end: End<Output>): Output {
  if ("output" in end) return end.output;
  throw end.error;
}
