import { type ReactElement, useState } from "react";
import type { QueueView } from "../src/api/views.ts";
import { Link } from "wouter";
import { Action } from "./action.tsx";
import { jobsAddress } from "./addresses.ts";
import { pathOf } from "./api.ts";
import { counted } from "./number.ts";
import { Tick } from "./tick.tsx";

/** Cancels what waits in a queue, and on request what is delayed. */
export function PurgeQueue({
  queue: { queue, queued, blocked, delayed },
}: {
  readonly queue: QueueView;
}): ReactElement {
  const [also, setAlso] = useState(false);
  const waiting = queued + blocked;
  return (
    <Action
      label="Purge"
      danger
      question={`Cancel ${counted(waiting, "waiting job")} of ${queue}?`}
      path={pathOf("queues", queue, "purge")}
      body={{ delayed: also }}
      done={({ count: cancelled }) => `${counted(cancelled, "job")} of ${queue} cancelled.`}
      onOpen={() => setAlso(false)}
    >
      <p>
        Each job that waits now, {counted(queued, "queued job")} and{" "}
        {counted(blocked, "blocked job")}, is cancelled for good, with a record. Jobs that run are
        left alone. The queue is paused meanwhile. This can&rsquo;t be undone.
      </p>
      <p>
        To see how far it is, to stop it on the way and to take it back, cancel all that match on
        the page of its <Link href={jobsAddress({ state: "queued", queue })}>queued</Link>,{" "}
        <Link href={jobsAddress({ state: "blocked", queue })}>blocked</Link> or{" "}
        <Link href={jobsAddress({ state: "delayed", queue })}>delayed</Link> jobs instead, up to
        100,000 at a time.
      </p>
      <Tick ticked={also} set={setAlso}>
        {counted(delayed, "delayed job")} too, retries among them
      </Tick>
    </Action>
  );
}
