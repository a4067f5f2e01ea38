import type { Evidence, FinalRecord, JobSeen } from "./evidence.ts";
import type { Violation } from "./violation.ts";

/** One end for each job, told to everybody, and the attempts that led there. */
export function* judgeEnds({ jobs }: Evidence): Generator<Violation> {
  for (const seen of jobs.values()) {
    if (isForeign(seen)) continue;
    yield* judgeEnd(seen);
    yield* judgeAttempts(seen);
    yield* judgeTold(seen);
  }
}

export function isForeign({ planned, queue }: JobSeen): boolean {
  return planned?.startsWith("hostile") === true || (planned === undefined && queue === "shop");
}

function* judgeEnd(seen: JobSeen): Generator<Violation> {
  const { key: job, finals, letters, confirmed, runs } = seen;
  const states = new Set([
    ...finals.map(({ state }) => state),
    ...letters.map((reason) => (reason === "expired" ? "expired" : "dead")),
  ]);
  if (states.size > 1)
    yield { is: "two-ends", job, detail: [...states].join(" and ") + reasonsOf(seen) };
  if (letters.length > 1) yield { is: "two-letters", job, detail: letters.join(" and ") };
  if (finals.length > 1 && states.size === 1)
    yield {
      is: "ended-again",
      job,
      detail: `${finals.length} times ${finals[0]?.state} (${finals.map(placeOf).join(", ")})`,
    };
  if (finals.length === 0 && confirmed)
    yield { is: "lost", job, detail: `confirmed, and never ended; ${runs.length} runs` };
  if (finals.length === 0 && !confirmed && runs.length > 0)
    yield { is: "unsettled", job, detail: "it ran, and never ended" };
}

function reasonsOf({ finals, letters }: JobSeen): string {
  return ` (records ${finals.map(placeOf).join(", ")}; letters ${letters.join(", ") || "none"})`;
}

function placeOf({ state, reason, sequence, generation, attempts }: FinalRecord): string {
  return `${state}${reason === undefined ? "" : ` ${reason}`} seq ${sequence} gen ${generation} att ${attempts}`;
}

/** An attempt begins when the one before it has failed; what the record says is what ran. */
function* judgeAttempts({ key: job, runs, finals }: JobSeen): Generator<Violation> {
  const failed = new Set(
    runs.filter(({ how }) => how === "failed").map(({ began }) => began.attempt),
  );
  for (const { began } of runs)
    if (began.attempt > 1 && !failed.has(began.attempt - 1))
      yield {
        is: "attempt-spent",
        job,
        detail: `attempt ${began.attempt} began, and none before it had failed`,
      };
  const [first] = finals;
  if (first?.state !== "succeeded") return;
  const ended = runs.filter(({ how }) => how === "succeeded");
  if (ended.length > 0 && !ended.some(({ began }) => began.attempt === first.attempts))
    yield {
      is: "attempts-miscounted",
      job,
      detail: `recorded ${first.attempts}, ran ${ended.map(({ began }) => began.attempt).join(", ")}`,
    };
}

/** Whoever asked was told the first recorded end. */
function* judgeTold({ key: job, told, finals }: JobSeen): Generator<Violation> {
  const [first] = finals;
  for (const { state, output } of told) {
    const expected = JSON.stringify(first?.output);
    if (
      state === "succeeded" &&
      (first?.state !== "succeeded" || JSON.stringify(output) !== expected)
    )
      yield {
        is: "told-otherwise",
        job,
        detail: `told ${JSON.stringify(output)}, first recorded ${first?.state} ${expected}`,
      };
    if (state !== "succeeded" && first?.state === "succeeded")
      yield { is: "told-otherwise", job, detail: `told ${state}, first recorded succeeded` };
  }
}
