import type { JournalEntry, StoredSignal, WaitingStep } from "@millrace/core";

/** Tells a signal from every other of its job and name, also after its stream was made anew. */
export function markOf({ sequence, storedAt }: StoredSignal): string {
  return `${sequence}/${storedAt}`;
}

/** Which signals steps of one run have taken. A signal that came twice under one id is one. */
export class TakenSignals {
  readonly #taken = new Set<string>();

  note(entry: JournalEntry): void {
    if (entry.kind !== "wait" || entry.state !== "signalled") return;
    this.#taken.add(`${entry.name} ${entry.mark}`);
    if (entry.signalId !== undefined) this.#taken.add(`${entry.name} id ${entry.signalId}`);
  }

  has(name: string, signal: StoredSignal): boolean {
    return (
      this.#taken.has(`${name} ${markOf(signal)}`) ||
      (signal.signalId !== undefined && this.#taken.has(`${name} id ${signal.signalId}`))
    );
  }
}

/** The names of the signals that a run waits for, as its journal says. */
export function awaitedNames(entries: readonly JournalEntry[]): ReadonlySet<string> {
  return new Set(entries.filter(isWaiting).map(({ name }) => name));
}

/** Whether a job that a step waits for has ended. */
export function hasCallEnded(entries: readonly JournalEntry[]): boolean {
  const ended = new Set(entries.filter(({ kind }) => kind === "child").map(({ name }) => name));
  return entries.some(
    (one) => one.kind === "call" && one.state === "calling" && ended.has(one.child.id),
  );
}

/** Of these, which are of one name, those that a step has taken, also under another number. */
export function takenOf(
  entries: readonly JournalEntry[],
  name: string,
  signals: readonly StoredSignal[],
): readonly StoredSignal[] {
  const taken = new TakenSignals();
  for (const entry of entries) taken.note(entry);
  return signals.filter((signal) => taken.has(name, signal));
}

/**
 * Whether one of these, which are of one name, has come since the run has looked for it. Of several
 * waits of the name only the first one looks, as long as it is open: what the others have on record
 * says nothing.
 */
export function isAnswered(
  entries: readonly JournalEntry[],
  name: string,
  signals: readonly StoredSignal[],
): boolean {
  const taken = new Set(takenOf(entries, name, signals));
  const waits = entries.filter(isWaiting).filter((entry) => entry.name === name);
  const [first] = waits.toSorted((a, b) => a.n - b.n);
  return (
    first !== undefined &&
    signals.some((signal) => !taken.has(signal) && !first.passed.includes(markOf(signal)))
  );
}

function isWaiting(entry: JournalEntry): entry is WaitingStep {
  return entry.kind === "wait" && entry.state === "waiting";
}
