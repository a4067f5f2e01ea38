import type { Entry } from "./world/ledger.ts";

/** A ledger for people: when, what, of which job, where. */
export function tellEntry(entry: Entry): string {
  const at = `${(entry.atMs / 1_000).toFixed(3).padStart(9)}s `;
  switch (entry.is) {
    case "planned":
      return `${at}planned   ${entry.queue}/${entry.job} (${entry.kind})`;
    case "stored":
      return `${at}stored    ${entry.job}`;
    case "sent-again":
      return `${at}again     ${entry.job}`;
    case "confirmed":
      return `${at}confirmed ${entry.job}${entry.duplicate ? " as a duplicate" : ""}`;
    case "replaced":
      return `${at}replaced  ${entry.job} by ${entry.by}`;
    case "refused":
      return `${at}refused   ${entry.job}: ${entry.code}`;
    case "began":
      return `${at}began     ${entry.queue}/${entry.job} attempt ${entry.attempt} on ${entry.process}, run ${entry.run}, token ${entry.token}${lifeOf(entry)} ${JSON.stringify(entry.input).slice(0, 200)}`;
    case "effect":
      return `${at}effect    ${entry.job}, run ${entry.run}`;
    case "step-ran":
      return `${at}step      ${entry.job} ${entry.step}, run ${entry.run}`;
    case "step-given":
      return `${at}given     ${entry.job} ${entry.step} of run ${String(entry.ran)}, run ${entry.run}`;
    case "waits":
      return `${at}waits     ${entry.job} for signal ${entry.n}`;
    case "signalled":
      return `${at}signalled ${entry.queue}/${entry.job}: ${entry.value}`;
    case "signal-taken":
      return `${at}signal    ${entry.job} wait ${entry.n}: ${String(entry.value)}, run ${entry.run}`;
    case "resumed":
      return `${at}resumed   run ${entry.run}`;
    case "aborted":
      return `${at}aborted   run ${entry.run}`;
    case "ended":
      return `${at}ended     ${entry.job}, run ${entry.run}: ${entry.how}`;
    case "recorded": {
      const { queue, id, state, outcome, generation, sequence, node, attempts } = entry.record;
      return `${at}recorded  ${queue}/${id} ${state} (${outcome}) by ${node}, generation ${generation} at ${sequence}, attempts ${attempts}${lifeOf(entry.record)}`;
    }
    case "buried":
      return `${at}buried    ${entry.letter.queue}/${entry.letter.id}: ${entry.letter.reason}`;
    case "withdrawn":
      return `${at}withdrawn ${entry.letter.queue}/${entry.letter.id}: ${entry.letter.reason}`;
    case "quarantined":
      return `${at}quarantined  ${entry.job} on ${entry.process}`;
    case "told":
      return `${at}told      ${entry.job} ${entry.state} ${JSON.stringify(entry.output) ?? ""}`;
    case "batch-made":
      return `${at}batch     ${entry.batch} of ${entry.members.join(", ")}`;
    case "asked":
      return `${at}asked     to ${entry.what} ${entry.of}`;
    case "retried":
      return `${at}retried   ${entry.queue}/${entry.job}`;
    case "purged":
      return `${at}purged    ${entry.queue}`;
    case "limited":
      return `${at}limited   ${entry.queue} to ${entry.concurrency ?? "any number"} at once, ${JSON.stringify(entry.rate) ?? "any rate"}, ${entry.maxParked ?? "any number"} parked`;
    case "schedule-ended":
      return `${at}paused    schedule ${entry.schedule}: ${entry.fired} fired, ${entry.skipped} skipped, up to ${entry.lastMs}`;
    case "cancelled":
      return `${at}cancel    ${entry.job}: ${entry.state}`;
    case "fault":
      return `${at}FAULT     ${entry.kind} of ${entry.process} at ${entry.name}`;
    case "gone":
      return `${at}GONE      ${entry.process} ${entry.how}`;
    case "thawed":
      return `${at}THAWED    ${entry.process}`;
    case "forgotten":
      return `${at}forgotten ${entry.queue}/${entry.job} was handed out`;
    case "silent":
      return `${at}silent    ${entry.process} since ${(entry.sinceMs / 1_000).toFixed(3)}s`;
    case "healed":
      return `${at}no fault begins from here on`;
    case "left":
      return `${at}left      ${entry.what} ${entry.detail}`;
  }
}

function lifeOf({ life = 0 }: { readonly life?: number }): string {
  return life === 0 ? "" : `, life ${life}`;
}
