import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

/** A forked program that says over IPC what happens in it. Killed when disposed of. */
export interface ListeningChild<Field extends string> extends AsyncDisposable {
  /** The field of the next message that has it. */
  next(field: Field | "ready"): Promise<string>;
  kill(signal: NodeJS.Signals): Promise<void>;
}

/** Resolves when the program has said `ready`. */
export async function startListening<Field extends string>(
  program: string,
  args: readonly string[],
): Promise<ListeningChild<Field>> {
  const child: ChildProcess = fork(program, [...args]);
  const next: ListeningChild<Field>["next"] = (field) =>
    new Promise((resolve, reject) => {
      const ended = (): void => reject(new Error(`${program} ended`));
      const hear = (message: object): void => {
        if (!(field in message)) return;
        child.off("message", hear);
        child.off("exit", ended);
        resolve(String((message as Record<string, unknown>)[field]));
      };
      child.on("message", hear);
      child.once("exit", ended);
    });
  const kill = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, "exit");
    child.kill(signal);
    await exit;
  };
  await next("ready");
  return { next, kill, [Symbol.asyncDispose]: () => kill("SIGTERM") };
}
