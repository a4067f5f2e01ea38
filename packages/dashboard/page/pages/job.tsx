import type { ReactElement } from "react";
import { Link } from "wouter";
import { LIVE_STATES } from "../../src/fleet/live-states.ts";
import type {
  CargoView,
  EditedBy,
  JobView,
  LetterView,
  RefView,
  RevealedView,
} from "../../src/api/views/views.ts";
import { Action } from "../actions/action.tsx";
import { jobAddress, queueAddress } from "../words/addresses.ts";
import { After, Answer, Page } from "../questions/answer.tsx";
import { pathOf } from "../words/paths.ts";
import { ExecutionChart } from "../job/execution-chart.tsx";
import { Masked, type Reveal, useReveal } from "../actions/reveal.tsx";
import { Family } from "../job/family.tsx";
import { Hold } from "../job/hold.tsx";
import { JobLog } from "../job/job-log.tsx";
import { Json } from "../words/json.tsx";
import { count, counted } from "../words/number.ts";
import { useJob, useJobLog } from "../questions/questions.ts";
import { RescheduleJob } from "../actions/reschedule-job.tsx";
import { StateBadge } from "../words/state-badge.tsx";
import { Steps } from "../job/steps.tsx";
import { Moment } from "../words/time.tsx";
import { Trace } from "../job/trace.tsx";
import { Errors, Waterfall } from "../job/waterfall.tsx";

export function JobPage({ queue, id }: RefView): ReactElement {
  const job = useJob(queue, id);
  const reveal = useReveal(
    pathOf("jobs", queue, id, "reveal"),
    // Another life of the job is another payload.
    `${queue}/${id} ${job.data?.letter?.at ?? job.data?.state}`,
  );
  return (
    <Page
      title={`Job ${id}`}
      actions={
        job.data === undefined ? undefined : <JobActions job={job.data} revealed={reveal.data} />
      }
    >
      <Answer of={job}>
        {(view) => <Job job={view} now={job.dataUpdatedAt} reveal={reveal} />}
      </Answer>
    </Page>
  );
}

function JobActions({
  job: { id, queue, state, attempts, letter },
  revealed,
}: {
  readonly job: JobView;
  readonly revealed: RevealedView | undefined;
}): ReactElement {
  const body = { filter: { queue, id } };
  return (
    <>
      {LIVE_STATES.includes(state) ? (
        <Action
          label="Cancel"
          danger
          asksWhy
          question={`Cancel the job ${id}?`}
          path={pathOf("jobs", queue, id, "cancel")}
          done={({ count: cancelled }) =>
            cancelled === 1 ? `${id} is being cancelled.` : `${id} was not cancelled.`
          }
        >
          <p>
            If it waits, it is not run. If it runs, its handler is told to stop.{" "}
            {state === "running" || attempts > 0
              ? "This can’t be undone, because it has begun."
              : "For seven days the operation that does it can be undone, unless the job is of a batch, or a step or a machine waits for it."}
          </p>
        </Action>
      ) : null}
      {state === "delayed" ? <RescheduleJob queue={queue} id={id} /> : null}
      {letter !== undefined ? (
        <>
          <Action
            label="Enqueue again"
            question={`Give the job ${id} a new life?`}
            path="dead/retry"
            body={body}
            done={({ count: retried }) => `${counted(retried, "job")} enqueued again.`}
          >
            <p>It is enqueued with the same payload and with its attempts at zero.</p>
          </Action>
          <Edit queue={queue} id={id} revealed={revealed} />
          <Action
            label="Discard"
            danger
            question={`Discard the dead letter of ${id}?`}
            path="dead/discard"
            body={body}
            done={({ count: gone }) => `${counted(gone, "letter")} discarded.`}
          >
            <p>
              The history keeps that it died. For seven days the operation that does it can be
              undone; then its payload is deleted for good.
            </p>
          </Action>
        </>
      ) : null}
    </>
  );
}

/** Why a payload that was looked at can't be edited as its text. */
const WHY: Readonly<Partial<Record<EditedBy, string>>> = {
  merge:
    "The payload can’t be edited as a whole here, because it holds what JSON has no form for (bytes, dates, or numbers such as NaN), or more values than are shown. What you don’t name stays as it is.",
  replace:
    "No part of the payload can be changed, because it has no fields, or can’t be read. Write the whole new one.",
};

/**
 * Who has not seen the payload says what changes: what is masked would be stored so. The same holds
 * for what JSON has no form for: the text that stands for it would be stored. What has no fields,
 * such as bytes or a list with a time in it, has no part that could change: another one is asked
 * for.
 */
function Edit({
  queue,
  id,
  revealed: { payload, editedBy } = {},
}: RefView & {
  /** As it is stored, where that was looked at. */
  readonly revealed: RevealedView | undefined;
}): ReactElement {
  const how = editedBy ?? "merge";
  const isMerged = how === "merge";
  const why = editedBy && WHY[editedBy];
  const atFirst = { text: JSON.stringify(payload, undefined, 2), merge: "{}", replace: "" };
  return (
    <Action
      // What it begins with is another once the payload was looked at.
      key={how}
      label="Edit and enqueue"
      question={`Enqueue ${id} with another payload?`}
      path={pathOf("jobs", queue, id, "edit")}
      body={{ merge: isMerged }}
      asksValue={isMerged ? "What changes, as JSON" : "The whole payload, as JSON"}
      valueAtFirst={atFirst[how]}
      done={() => `${id} was enqueued with another payload.`}
    >
      <p>
        {isMerged
          ? "Its keys replace those of the payload, null takes one away, and the rest stays as it is, secrets included."
          : "It takes the place of the payload that is there."}{" "}
        The attempts begin at zero, and the letter is removed. This can&rsquo;t be undone: what is
        replaced of the payload is gone.
      </p>
      {why === undefined ? null : <p>{why}</p>}
    </Action>
  );
}

interface JobProps {
  readonly job: JobView;
  readonly now: number;
  readonly reveal: Reveal;
}

function Job({ job, now, reveal }: JobProps): ReactElement {
  const { name, queue, state, attempts, createdAt, parent, children, progress, letter } = job;
  const log = useJobLog(queue, job.id, LIVE_STATES.includes(state));
  return (
    <>
      <dl className="facts">
        <dt>State</dt>
        <dd>
          <StateBadge state={state} />
        </dd>
        <dt>Name</dt>
        <dd>{name}</dd>
        <dt>Queue</dt>
        <dd>
          <Link href={queueAddress(queue)}>{queue}</Link>
        </dd>
        <dt>Attempts</dt>
        <dd>{count(attempts)}</dd>
        {createdAt === undefined ? null : (
          <>
            <dt>Enqueued</dt>
            <dd>
              <Moment at={createdAt} />
            </dd>
          </>
        )}
        {progress === undefined ? null : (
          <>
            <dt>Progress</dt>
            <dd>
              {count(progress.value)} {progress.note}
            </dd>
          </>
        )}
        {job.traceId === undefined ? null : (
          <>
            <dt>Trace</dt>
            <dd>
              <Trace id={job.traceId} />
            </dd>
          </>
        )}
        {parent === undefined ? null : (
          <>
            <dt>Enqueued by</dt>
            <dd>
              <Link href={jobAddress(parent)}>{parent.id}</Link>
            </dd>
          </>
        )}
      </dl>
      <Hold job={job} />
      <section aria-labelledby="time">
        <h2 id="time">Time</h2>
        <Waterfall job={job} now={now} />
        <ExecutionChart job={job} />
      </section>
      <Steps job={job} isLive={LIVE_STATES.includes(state)} />
      <Errors job={job} />
      {job.result === undefined ? null : (
        <section aria-labelledby="result">
          <h2 id="result">Result</h2>
          <Json value={reveal.data?.result ?? job.result} label="Result" />
          {letter === undefined ? <Masked reveal={reveal} /> : null}
        </section>
      )}
      {letter === undefined ? null : <Letter letter={letter} reveal={reveal} />}
      {job.cargo === undefined ? null : <Cargo cargo={job.cargo} reveal={reveal} />}
      <Children count={children.count} jobs={children.jobs} />
      {/* What is asked for by itself comes last: it moves nothing when it comes. */}
      <JobLog of={log} />
      <After of={log}>{job.hasFamily ? <Family of={{ queue, id: job.id }} /> : null}</After>
    </>
  );
}

/** What a job carries that waits or runs. */
function Cargo({
  cargo,
  reveal,
}: Pick<JobProps, "reveal"> & { readonly cargo: CargoView }): ReactElement {
  const { payload, headers } = { ...cargo, ...reveal.data };
  const { tags = [] } = cargo;
  return (
    <section aria-labelledby="payload">
      <h2 id="payload">Payload</h2>
      <Json value={payload} label="Payload" />
      {tags.length === 0 ? null : <p>Tags: {tags.join(", ")}</p>}
      <details>
        <summary>Headers</summary>
        <Json value={headers} label="Headers" />
      </details>
      <Masked reveal={reveal} />
    </section>
  );
}

function Letter({
  letter,
  reveal,
}: Pick<JobProps, "reveal"> & { readonly letter: LetterView }): ReactElement {
  const { reason, at, node, bytes, unreadable } = letter;
  const { payload, headers } = { ...letter, ...reveal.data };
  return (
    <section aria-labelledby="letter">
      <h2 id="letter">Dead letter</h2>
      <p>
        Kept for <strong>{reason}</strong>, <Moment at={at} />, on {node}: {counted(bytes, "byte")}.
      </p>
      {unreadable === undefined ? (
        <Json value={payload} label="Payload" />
      ) : (
        <p className="notice warning">The payload can&rsquo;t be read: {unreadable}</p>
      )}
      <details>
        <summary>Headers</summary>
        <Json value={headers} label="Headers" />
      </details>
      <Masked reveal={reveal} />
    </section>
  );
}

function Children({ count: all, jobs }: JobView["children"]): ReactElement | null {
  if (all === 0) return null;
  return (
    <section aria-labelledby="children">
      <h2 id="children">{counted(all, "job")} enqueued by it</h2>
      <ul>
        {jobs.map((job) => (
          <li key={`${job.queue}/${job.id}`}>
            <Link href={jobAddress(job)}>{job.id}</Link>
          </li>
        ))}
      </ul>
    </section>
  );
}
