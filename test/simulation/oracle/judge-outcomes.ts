import { isForeign } from "./judge-ends.ts";
import { endsOf, type Evidence, type FinalRecord, type JobSeen } from "./evidence.ts";
import type { Violation } from "./violation.ts";

const WORD = /^(succeeded|dead|cancelled)(?:-(\d+))?:([\w-]+):(.+)$/;

/** Whether it is a job that tells of another's end: what it says is judged here. */
export function isWord(job: string): boolean {
  return WORD.test(job);
}

/**
 * Each recorded end is told once, as it is on record, and nothing else is told.
 *
 * @param telling names of the jobs whose ends are told
 */
export function* judgeOutcomes(
  { jobs }: Evidence,
  telling: ReadonlySet<string>,
): Generator<Violation> {
  for (const seen of jobs.values()) {
    if (isForeign(seen)) continue;
    for (const end of endsOf(seen)) {
      if (end.tells !== undefined) yield* judgeEnd(jobs, seen, end);
      else if (telling.has(end.name) && /^n\d/.test(end.node) && end.reason !== "chain-broken")
        yield { is: "lost-word", job: seen.key, detail: `a node recorded ${end.state} without it` };
    }
  }
  yield* judgeWords(jobs);
}

function* judgeEnd(
  jobs: Evidence["jobs"],
  { job, queue, key }: JobSeen,
  { state, life = 0, at }: FinalRecord,
): Generator<Violation> {
  const word = `${state === "expired" ? "dead" : state}${life === 0 ? "" : `-${life}`}`;
  const told = jobs.get(`work/${word}:${queue}:${job}`);
  if (told === undefined || (told.runs.length === 0 && told.finals.length === 0)) {
    yield { is: "lost-word", job: key, detail: `it is ${state}, and nobody was told` };
    return;
  }
  for (const { began } of told.runs) {
    const { end, endedAt } = began.input as { readonly end: string; readonly endedAt: number };
    if (end !== state || endedAt !== at)
      yield {
        is: "untrue-word",
        job: key,
        detail: `told ${end} at ${endedAt}, and is ${state} at ${at}`,
      };
  }
}

function* judgeWords(jobs: Evidence["jobs"]): Generator<Violation> {
  for (const { job: word, runs } of jobs.values()) {
    const [, end, life, queue, id] = WORD.exec(word) ?? [];
    const of = jobs.get(`${queue}/${id}`);
    if (end === undefined || runs.length === 0 || of === undefined) continue;
    const isSo = endsOf(of).some(
      (record) =>
        (record.state === "expired" ? "dead" : record.state) === end &&
        (record.life ?? 0) === Number(life ?? 0),
    );
    if (!isSo) yield { is: "untrue-word", job: of.key, detail: `${word}, which is not on record` };
  }
}
