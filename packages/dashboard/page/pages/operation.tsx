import type { ReactElement } from "react";
import { Link, useLocation } from "wouter";
import type { OperationView } from "../../src/api/views/views.ts";
import { Action } from "../actions/action.tsx";
import { jobAddress, operationAddress } from "../words/addresses.ts";
import { Answer, Page } from "../questions/answer.tsx";
import { pathOf } from "../words/paths.ts";
import { type DataColumn, DataTable } from "../tables/data-table.tsx";
import { kindWords, OperationProgress, whichWords } from "../words/operation-words.tsx";
import { counted } from "../words/number.ts";
import { useOperation } from "../questions/questions.ts";
import { StateBadge } from "../words/state-badge.tsx";
import { Moment } from "../words/time.tsx";
import { Unanswered } from "../words/unanswered.tsx";

/** One change of many things: how far it is, what failed, and the way to stop it. */
export function OperationPage({ id }: { readonly id: string }): ReactElement {
  const operation = useOperation(id);
  const { data } = operation;
  return (
    <Page
      title={data === undefined ? "Operation" : kindWords(data)}
      actions={<Actions operation={data} />}
    >
      <p>
        <Link href="/operations">All operations</Link>
      </p>
      <Answer of={operation}>{(view) => <Operation operation={view} />}</Answer>
    </Page>
  );
}

function Actions({
  operation,
}: {
  readonly operation: OperationView | undefined;
}): ReactElement | null {
  if (operation === undefined) return null;
  const { id, kind, done, progress } = operation;
  if (progress.state === "running") return <Stop id={id} />;
  const words = UNDO_WORDS[kind];
  const hasEnded = progress.state !== "stopping";
  return hasEnded && words !== undefined && done > 0 ? (
    <Undo operation={operation} words={words} />
  ) : null;
}

interface UndoWords {
  readonly question: (done: number) => string;
  readonly says: string;
}

/** Of those that can be undone. What takes another one back is not among them. */
const UNDO_WORDS: Readonly<Record<string, UndoWords>> = {
  "jobs-reschedule": {
    question: (done) => `Give ${counted(done, "job")} their old time again?`,
    says: "What has run since, or was moved by somebody else, stays as it is. Where the old time has passed, the job goes to its queue now.",
  },
  "dead-discard": {
    question: (done) => `Put ${counted(done, "dead letter")} back?`,
    says: "Each letter is there again with its reason and its payload. They are kept for seven days.",
  },
  "dead-retry": {
    question: (done) => `Make ${counted(done, "job")} dead letters again?`,
    says: "A job that still waits in its queue is taken out, and its letter is there again. A job that a node has had stays as it is.",
  },
  "jobs-cancel": {
    question: (done) => `Enqueue ${counted(done, "job")} anew?`,
    says: "A job that had only waited is enqueued anew with the same id, payload and options. A job that had begun stays cancelled.",
  },
};

function Undo({
  operation: { id, done },
  words: { question, says },
}: {
  readonly operation: OperationView;
  readonly words: UndoWords;
}): ReactElement {
  const [, setLocation] = useLocation();
  return (
    <Action
      label="Undo"
      question={question(done)}
      asksWhy
      path={pathOf("operations", id, "undo")}
      done={({ count: jobs }) => `An operation on ${counted(jobs, "thing")} has begun.`}
      afterwards={({ operation }) => {
        if (operation !== undefined) setLocation(operationAddress(operation));
      }}
    >
      <p>{says}</p>
    </Action>
  );
}

function Stop({ id }: { readonly id: string }): ReactElement {
  return (
    <Action
      label="Stop"
      question="Stop this operation?"
      path={pathOf("operations", id, "stop")}
      done={() => "The operation stops."}
    >
      <p>
        What has begun is finished, at most 20 things. The rest stays as it is. What is done is not
        undone.
      </p>
    </Action>
  );
}

function Operation({ operation }: { readonly operation: OperationView }): ReactElement {
  const { at, by, reason, progress, failures, failed } = operation;
  return (
    <>
      <dl className="facts">
        <dt>State</dt>
        <dd>
          <StateBadge state={progress.state} /> {progressWords(operation)}
        </dd>
        <dt>How far</dt>
        <dd>
          <OperationProgress operation={operation} />
        </dd>
        <dt>Which</dt>
        <dd>{whichWords(operation)}</dd>
        <dt>Asked for</dt>
        <dd>
          <Moment at={at} /> by {by}
          {reason === undefined ? "" : `: ${reason}`}
        </dd>
      </dl>
      <Unanswered nodes={operation.unanswered} />
      {failures.length === 0 ? null : (
        <section aria-labelledby="failures">
          <h2 id="failures">
            {failed > failures.length ? `The first ${failures.length} that failed` : "Failed"}
          </h2>
          <DataTable
            label="Failures"
            columns={COLUMNS}
            rows={failures}
            rowKey={(failure) => `${failure.queue}/${failure.id}`}
            empty={null}
          />
        </section>
      )}
    </>
  );
}

function progressWords({ progress }: OperationView): string {
  switch (progress.state) {
    case "stopping":
    case "stopped":
      return `by ${progress.by}`;
    case "failed":
      return `for a defect (${progress.code}); what is left stays as it is`;
    case "running":
    case "done":
      return "";
  }
}

const COLUMNS: readonly DataColumn<OperationView["failures"][number]>[] = [
  {
    id: "id",
    title: "id",
    value: ({ id }) => id,
    cell: (failure) => (
      <Link className="id" href={jobAddress(failure)}>
        {failure.id}
      </Link>
    ),
  },
  { id: "code", title: "code", value: ({ code }) => code },
  {
    id: "message",
    title: "message",
    value: ({ message }) => message,
    cell: ({ message }) => <span className="line">{message}</span>,
  },
];
