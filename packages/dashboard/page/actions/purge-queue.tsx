import { type ReactElement, useState } from "react";
import type { QueueView } from "../../src/api/views/views.ts";
import { Action } from "./action.tsx";
import { pathOf } from "../words/paths.ts";
import { counted } from "../words/number.ts";
import { Matching, OperationAction } from "./operation-action.tsx";
import { Tick } from "./tick.tsx";

interface PurgeProps {
  readonly queue: QueueView;
}

/** What waits in a queue is cancelled, on request what is delayed too: by an operation, or now. */
export function PurgeQueue({ queue }: PurgeProps): ReactElement {
  return (
    <>
      <PurgeByOperation queue={queue} />
      <PurgeAtOnce queue={queue} />
    </>
  );
}

const WAITING = "state=queued OR state=blocked";

function PurgeByOperation({ queue: of }: PurgeProps): ReactElement {
  const { queue, delayed } = of;
  const [also, setAlso] = useState(false);
  const where = also ? `${WAITING} OR state=delayed` : WAITING;
  const target = { kind: "jobs-cancel", filter: { queue, where } };
  return (
    <OperationAction
      label="Purge"
      danger
      question={`Cancel all jobs that wait in ${queue}?`}
      target={target}
      onOpen={() => setAlso(false)}
    >
      <Matching target={target} one="job" />
      <Tick ticked={also} set={setAlso}>
        {counted(delayed, "delayed job")} too, retries among them
      </Tick>
      <Settled queue={of} />
      <p>
        Each is cancelled, with a record, and is not run. One that has begun before it is its turn
        has its handler told to stop. For seven days the operation&rsquo;s page can undo it, for
        jobs that had only waited.
      </p>
    </OperationAction>
  );
}

/** A cancelled job lies in its queue until a node has it in hand. */
function Settled({ queue: { paused, nodes } }: PurgeProps): ReactElement | null {
  if (paused === undefined && nodes > 0) return null;
  return (
    <p className="notice warning">
      {paused === undefined ? "No node serves the queue." : "The queue is paused."} Cancelled jobs
      stay in it until a node takes them out. &ldquo;Purge at once&rdquo; needs no node.
    </p>
  );
}

function PurgeAtOnce({ queue: { queue, queued, blocked, delayed } }: PurgeProps): ReactElement {
  const [also, setAlso] = useState(false);
  const waiting = queued + blocked;
  return (
    <Action
      label="Purge at once"
      danger
      question={`Cancel ${counted(waiting, "waiting job")} of ${queue} at once?`}
      path={pathOf("queues", queue, "purge")}
      body={{ delayed: also }}
      done={({ count: cancelled }) => `${counted(cancelled, "job")} of ${queue} cancelled.`}
      onOpen={() => setAlso(false)}
    >
      <p>
        Each job that waits, {counted(queued, "queued job")} and {counted(blocked, "blocked job")}{" "}
        now, is taken out of the queue and cancelled for good, with a record. Jobs that run are left
        alone. It needs no node, and may be about more than 100,000 jobs.
      </p>
      <p>
        The queue is paused meanwhile. This shows no progress, can&rsquo;t be stopped on the way and{" "}
        <strong>can&rsquo;t be undone</strong>. It ends where this dashboard ends. All of that
        &ldquo;Purge&rdquo; can.
      </p>
      <Tick ticked={also} set={setAlso}>
        {counted(delayed, "delayed job")} too, retries among them
      </Tick>
    </Action>
  );
}
