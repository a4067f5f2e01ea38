import type { DeadLetter, HistoryRecord } from "@millrace/core";

/** What happened in a world, as seen from outside of every process and every stream. */
export type Fact =
  | { readonly is: "planned"; readonly job: string; readonly kind: string; readonly queue: string }
  | { readonly is: "confirmed"; readonly job: string; readonly duplicate: boolean }
  | { readonly is: "refused"; readonly job: string; readonly code: string }
  | {
      readonly is: "began";
      readonly run: number;
      readonly job: string;
      readonly queue: string;
      readonly process: string;
      readonly attempt: number;
      readonly token: number;
      readonly key: string | undefined;
      readonly input: unknown;
    }
  | { readonly is: "effect"; readonly run: number; readonly job: string; readonly token: number }
  | { readonly is: "aborted"; readonly run: number; readonly cause: string }
  | { readonly is: "ended"; readonly run: number; readonly job: string; readonly how: RunEnd }
  | { readonly is: "recorded"; readonly record: HistoryRecord }
  | {
      readonly is: "buried" | "withdrawn";
      readonly letter: Pick<DeadLetter, "id" | "queue" | "reason">;
    }
  | { readonly is: "told"; readonly job: string; readonly state: string; readonly output: unknown }
  | { readonly is: "batch-made"; readonly batch: string; readonly members: readonly string[] }
  | { readonly is: "cancelled"; readonly job: string; readonly state: string }
  | { readonly is: "fault"; readonly name: string; readonly kind: string; readonly process: string }
  | { readonly is: "gone"; readonly process: string; readonly how: "killed" | "frozen" | "stopped" }
  | { readonly is: "thawed"; readonly process: string }
  | { readonly is: "healed" }
  | { readonly is: "left"; readonly what: string; readonly detail: string };

export type RunEnd = "succeeded" | "failed" | "fatal" | "snoozed" | "aborted";
export type Entry = Fact & { readonly atMs: number };

/** One line an entry; the same for the same seed, byte for byte. */
export class Ledger {
  readonly entries: Entry[] = [];
  readonly #now: () => number;
  #runs = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  note(fact: Fact): void {
    this.entries.push({ atMs: Math.round(this.#now() * 1_000) / 1_000, ...fact });
  }

  nextRun(): number {
    return (this.#runs += 1);
  }

  get text(): string {
    return this.entries.map((entry) => JSON.stringify(entry)).join("\n");
  }
}
