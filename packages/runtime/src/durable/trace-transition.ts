import {
  type InboxMessage,
  type Instrumentation,
  type MachineDocument,
  type MachineTransition,
} from "@millrace/core";
import type { MachineOutcome } from "./machine-reports.ts";

/** One thing that came to a machine, in hand. */
export interface Taken {
  readonly message: InboxMessage;
  readonly tookMs: number;
  readonly node: string;
}

/**
 * What is to be told of a document that was written.
 *
 * @returns undefined where nothing was taken
 */
export function transitionOf(
  { message, tookMs, node }: Taken,
  before: MachineDocument | undefined,
  document: MachineDocument,
  outcome: MachineOutcome,
): MachineTransition | undefined {
  if (outcome !== "taken" && outcome !== "failed") return undefined;
  const { machine, id, value, status, rev, trail, trouble, error } = document;
  const isTrouble = outcome === "failed" && before !== undefined;
  const why = outcome === "taken" ? undefined : isTrouble ? trouble?.error : error;
  return {
    ...{ machine, id, status, tookMs, node },
    kind: message.kind === "tick" ? "timer" : message.kind,
    event: (isTrouble ? trouble?.event : trail.at(-1)?.event) ?? "",
    before: before?.value,
    after: value,
    revision: rev,
    ...(why === undefined ? {} : { error: why }),
    headers: message.headers ?? {},
  };
}

/** Does what follows from a transition, under its span. A trace's own trouble changes nothing. */
export async function traceTransition(
  instrumentation: Pick<Instrumentation, "transition">,
  transition: MachineTransition,
  effects: () => Promise<void>,
  onTrouble: (error: unknown) => void,
): Promise<void> {
  let done: Promise<void> | undefined;
  const once = (): Promise<void> => (done ??= effects());
  try {
    await instrumentation.transition?.(transition, once);
  } catch (error) {
    const own = done === undefined ? undefined : await done.then(noError, same);
    if (own !== error) onTrouble(error);
  }
  await once();
}

const noError = (): undefined => undefined;
const same = (error: unknown): unknown => error;
