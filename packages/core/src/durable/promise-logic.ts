import { type AnyActorLogic, createActor, toPromise } from "xstate";

const RESULT = Symbol("result");

/**
 * Whether an actor's logic is that of a promise, whichever copy of XState has made it: it is done
 * with what it is given. Others do nothing with that, or stumble over it.
 */
export function isPromiseLogic(logic: AnyActorLogic): boolean {
  try {
    const next: unknown = logic.transition(
      { status: "active", output: undefined, error: undefined, input: undefined },
      { type: "xstate.promise.resolve", data: RESULT },
      {} as never,
    );
    const { status, output } = next as { readonly status: unknown; readonly output: unknown };
    return status === "done" && output === RESULT;
  } catch {
    return false;
  }
}

/** Runs a promise's logic once, and gives what it resolves to. */
export async function runPromise(
  logic: AnyActorLogic,
  input: unknown,
  signal: AbortSignal,
): Promise<unknown> {
  signal.throwIfAborted();
  const actor = createActor(logic, { input });
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => {
    aborted.reject(signal.reason as Error);
    actor.stop();
  };
  signal.addEventListener("abort", abort, { once: true });
  try {
    const ended = toPromise(actor);
    actor.start();
    return await Promise.race([ended, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
