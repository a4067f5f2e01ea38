import { type ReactElement, useState } from "react";
import { Link } from "wouter";
import type { QueueView } from "../../src/api/views/views.ts";
import { jobsAddress } from "./addresses.ts";
import { count, counted } from "./number.ts";

/** What has to end before a queue is empty. Delayed jobs wait for their time. */
export function leftIn({ queued, running, blocked }: QueueView): number {
  return queued + running + blocked;
}

const PARTS = ["queued", "running", "blocked"] as const;

/** How far a closed queue is, of what the page first saw in it, and what holds it up. */
export function Draining({ queue }: { readonly queue: QueueView }): ReactElement | null {
  const left = leftIn(queue);
  const [most, setMost] = useState(left);
  if (left > most) setMost(left);
  if (left === 0) return queue.delayed === 0 ? null : <DelayedLeft queue={queue} />;
  return (
    <section aria-label="Draining" className="draining">
      <progress
        value={most - left}
        max={most}
        aria-label={`${count(most - left)} of ${counted(most, "job")} have ended since this page looked`}
      />
      <p>
        {counted(left, "job")} {left === 1 ? "is" : "are"} left:
      </p>
      <ul className="parts">
        {PARTS.map((state) => (
          <li key={state}>
            <Part queue={queue} state={state} />
          </li>
        ))}
      </ul>
      {queue.delayed === 0 ? null : <DelayedLeft queue={queue} />}
      {heldUpBy(queue)}
    </section>
  );
}

function heldUpBy({ paused, nodes }: QueueView): ReactElement | null {
  if (paused !== undefined)
    return <p className="notice warning">It is paused, so nothing in it begins. Resume it.</p>;
  if (nodes > 0) return null;
  return (
    <p className="notice warning">
      No node serves it, so nothing in it begins until one with its jobs starts.
    </p>
  );
}

function DelayedLeft({ queue }: { readonly queue: QueueView }): ReactElement {
  return (
    <p>
      <Part queue={queue} state="delayed" /> {queue.delayed === 1 ? "waits" : "wait"} for{" "}
      {queue.delayed === 1 ? "its" : "their"} time.
    </p>
  );
}

function Part({
  queue,
  state,
}: {
  readonly queue: QueueView;
  readonly state: "queued" | "running" | "blocked" | "delayed";
}): ReactElement {
  return (
    <>
      <Link href={jobsAddress({ state, queue: queue.queue })}>{count(queue[state])}</Link> {state}
    </>
  );
}
