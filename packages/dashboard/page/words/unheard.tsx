import type { ReactElement } from "react";
import { Link } from "wouter";
import type { QueueView } from "../../src/api/views/views.ts";
import { counted } from "./number.ts";
import { duration } from "./time.tsx";

/** Beside a number of running jobs: how many of them nobody may be running. */
export function unheardWords({ lost, unheard }: QueueView): string | undefined {
  if (lost !== undefined) return `${lost} lost`;
  return unheard === undefined ? undefined : `${unheard} not heard of`;
}

/** Of a queue whose nodes are not heard of: what that means for its jobs, and what to do. */
export function Unheard({ queue }: { readonly queue: QueueView }): ReactElement | null {
  const { lost, unheard, silentMs } = queue;
  const jobs = lost ?? unheard;
  if (jobs === undefined) return null;
  const that = jobs === 1 ? "that counts" : "that count";
  return (
    <p className={`notice ${lost === undefined ? "warning" : "critical"}`}>
      {counted(jobs, "job")} {that} as running {jobs === 1 ? "is" : "are"}{" "}
      {silentMs === undefined
        ? "lost: no node serves this queue."
        : `${lost === undefined ? "with a node that is" : "lost: their node is"} not heard of for ${duration(silentMs)}, and no other serves this queue.`}{" "}
      {lost === undefined
        ? "It may only be too busy to say that it is there: a handler that never waits holds up its whole process. Look at its log if that goes on."
        : "Nothing has to be enqueued again: start a node with the jobs of this queue, and they run."}{" "}
      <Link href="/nodes" className="own-line">
        Nodes
      </Link>
    </p>
  );
}
