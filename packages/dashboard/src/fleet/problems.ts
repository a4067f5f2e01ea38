import { formatSeconds, isSilent } from "@millrace/core";
import type { NodeView, ProblemView, QueueView } from "../api/views/views.ts";
import type { FleetSample } from "./fleet.ts";
import { PILING_MS, pilingUpSince } from "./piling-up.ts";

/** From this age on a job that waits is worth a word. */
const OLD_MS = 10 * 60_000;

/** What somebody should look at, the worst first. Pure. */
export function problemsOf({
  connected,
  queues,
  nodes,
  samples,
  now,
}: {
  /** How the fleet was lately, the oldest first. */
  readonly samples: readonly FleetSample[];
  readonly now: number;
  readonly connected: boolean;
  readonly queues: readonly QueueView[];
  readonly nodes: readonly NodeView[];
}): readonly ProblemView[] {
  const found: ProblemView[] = [];
  const critical = (text: string, link: string): void =>
    void found.push({ severity: "critical", text, link });
  const warning = (text: string, link: string): void =>
    void found.push({ severity: "warning", text, link });

  if (!connected) critical("There is no connection to the server: what is shown is old.", "");
  for (const { name, state, silentMs, queues: served } of nodes) {
    const silence = `Node ${name} has not been heard of for ${formatSeconds(silentMs)}.`;
    if (state === "lost") critical(silence, "nodes");
    else if (isSilent({ silentMs })) warning(silence, "nodes");
    const stuck = served.reduce((sum, queue) => sum + (queue.stuck ?? 0), 0);
    if (stuck > 0) critical(`Node ${name} can't settle ${jobs(stuck)}.`, "nodes");
  }
  for (const queue of queues) {
    const link = `queues/${encodeURIComponent(queue.queue)}`;
    const name = queue.queue;
    if (queue.maxJobs !== undefined && queue.queued + queue.running >= queue.maxJobs)
      critical(`Queue ${name} is full and refuses producers.`, link);
    if (queue.nodes === 0 && queue.queued > 0)
      critical(`${jobs(queue.queued)} in queue ${name}, which no node serves.`, link);
    if (queue.lost !== undefined)
      critical(
        `${jobs(queue.lost)} of queue ${name} ${queue.lost === 1 ? "is" : "are"} lost.`,
        link,
      );
    if (queue.paused !== undefined)
      warning(`Queue ${name} is paused, with ${jobs(queue.queued)} queued.`, link);
    else {
      if (queue.queued > 0 && queue.oldestAgeMs >= OLD_MS)
        warning(
          `The oldest job of queue ${name} is ${formatSeconds(queue.oldestAgeMs)} old.`,
          link,
        );
      const before = pilingUpSince(samples, queue, now);
      if (before !== undefined)
        warning(
          `Queue ${name} is piling up: ${jobs(queue.queued)} wait, and ${before} did ${formatSeconds(PILING_MS)} ago.`,
          link,
        );
    }
    if (!queue.open) warning(`Queue ${name} is closed to producers.`, link);
    if (queue.dead > 0)
      warning(
        `${queue.dead} dead ${queue.dead === 1 ? "letter" : "letters"} in queue ${name}.`,
        `errors?queue=${encodeURIComponent(name)}&dead=only`,
      );
  }
  return found.toSorted(
    (a, b) => Number(b.severity === "critical") - Number(a.severity === "critical"),
  );
}

function jobs(count: number): string {
  return count === 1 ? "1 job" : `${count} jobs`;
}
