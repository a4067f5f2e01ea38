import { systemClock } from "@millrace/core";
import type { Millrace } from "../client/millrace.ts";
import type { Operation } from "../client/operations/operation.ts";
import { interruptible } from "./serving/interrupt.ts";
import type { CliIo } from "./io.ts";
import { howFar } from "./show/operations.ts";

/** An outage may be all that is said after it: by its id it can be gone on with. */
export async function beginHere(
  io: Pick<CliIo, "err">,
  begin: () => Promise<Operation>,
): Promise<Operation> {
  const operation = await begin();
  io.err(`operation ${operation.id} has begun\n`);
  return operation;
}

const EVERY_MS = 1_000;

/** Carries an operation out and says how far it is. Ctrl-C leaves the rest to others. */
export async function runHere(
  { operations }: Pick<Millrace, "operations">,
  io: Pick<CliIo, "progress">,
  id: string,
): Promise<Operation> {
  let isOver = false;
  const show = async (): Promise<void> => {
    // Nobody depends on it: what fails here fails there too.
    const operation = await operations.get(id).catch(() => undefined);
    if (isOver) return;
    if (operation !== undefined) io.progress(howFar(operation));
    systemClock.setTimer(EVERY_MS, () => void show()).unref?.();
  };
  void show();
  try {
    return await interruptible((signal) => operations.run(id, { signal }));
  } finally {
    isOver = true;
    io.progress("");
  }
}
