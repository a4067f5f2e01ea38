import { type Envelope, MillraceError, type StepsDefinition } from "@millrace/core";
import type { ExecutionHost } from "../../execution-host.ts";

/**
 * For about so long a job is put off whose run another node has to go on with. Were it exact, two
 * jobs could come to two nodes in turn, each to the wrong one, for ever.
 */
const LEFT_MS = 5_000;

/** What was told, by node. */
const told = new WeakMap<ExecutionHost, Set<string>>();

/**
 * Whether a run that began with this version goes on here.
 *
 * @returns undefined where it does; else until when it is left to others, epoch milliseconds
 * @throws MillraceError `journal-mismatch` where the job's definition refuses it
 */
export function leftUntil(
  host: ExecutionHost,
  envelope: Envelope,
  { version, olderRuns }: StepsDefinition,
  begunWith: number,
): number | undefined {
  if (begunWith === version || (begunWith < version && olderRuns === "run")) return undefined;
  if (begunWith < version && olderRuns === "reject")
    throw new MillraceError(
      "journal-mismatch",
      `The job began with version ${begunWith} of its steps, and this handler has version ${version} and refuses older runs. Deploy a handler of version ${begunWith}, or one that goes on with it (olderRuns: "run"), then retry the dead letter.`,
    );
  tell(host, envelope, version, begunWith);
  return host.clock.now() + LEFT_MS * (0.5 + host.random());
}

/** Once for each version of a job: there may be many such runs. */
function tell(
  host: ExecutionHost,
  { id, name, queue }: Envelope,
  own: number,
  begun: number,
): void {
  let lines = told.get(host);
  if (lines === undefined) told.set(host, (lines = new Set()));
  const key = `${queue} ${name} ${begun}`;
  if (lines.has(key)) return;
  lines.add(key);
  host.log.warn(
    { job: id, name, queue, version: own, begunWith: begun },
    "a run began with another version of its steps; it and its like are left to nodes that have it",
  );
}
