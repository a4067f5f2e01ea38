import type { ReactElement } from "react";
import { Link } from "wouter";
import type { StepView } from "../../src/api/views/step-view.ts";
import type { JobView, RefView } from "../../src/api/views/views.ts";
import { Action } from "../actions/action.tsx";
import { jobAddress } from "../words/addresses.ts";
import { pathOf } from "../words/paths.ts";
import { type DataColumn, DataTable } from "../tables/data-table.tsx";
import { counted } from "../words/number.ts";
import { StateBadge } from "../words/state-badge.tsx";
import { Moment } from "../words/time.tsx";

interface StepRow extends StepView {
  readonly job: RefView;
  /** Its place in the order of recording. */
  readonly place: number;
  readonly isLive: boolean;
}

const COLUMNS: readonly DataColumn<StepRow>[] = [
  { id: "step", title: "Step", value: shownName },
  {
    id: "state",
    title: "State",
    value: ({ state }) => state,
    cell: (step) => <State step={step} />,
  },
  {
    id: "at",
    title: "Recorded",
    value: ({ place }) => place,
    cell: ({ at }) => <Moment at={at} />,
  },
  { id: "result", title: "Result", value: shownResult },
];

/** What a job with steps has done, and what it waits for. */
export function Steps({
  job: { id, queue, steps, stepCount },
  isLive,
}: {
  readonly job: JobView;
  readonly isLive: boolean;
}): ReactElement | null {
  if (steps === undefined && stepCount === undefined) return null;
  const rows = (steps ?? []).map((step, place) => ({ ...step, job: { id, queue }, place, isLive }));
  return (
    <section aria-labelledby="steps">
      <h2 id="steps">Steps</h2>
      <DataTable
        label="Steps"
        columns={COLUMNS}
        rows={rows}
        rowKey={({ name, n }) => `${n} ${name}`}
        empty={<Gone stepCount={stepCount ?? 0} />}
      />
    </section>
  );
}

function Gone({ stepCount }: { readonly stepCount: number }): ReactElement {
  if (stepCount === 0) return <>Its handler has asked for none.</>;
  return (
    <>
      There were {counted(stepCount, "step")}. They are no longer on record: steps go when their job
      has succeeded, is cancelled, or is discarded.
    </>
  );
}

function shownName({ name, n }: StepView): string {
  return n === 0 ? name : `${name} (${n + 1})`;
}

function shownResult({ result, error }: StepView): string {
  if (error !== undefined) return `${error.type}: ${error.message}`;
  return result === undefined ? "" : JSON.stringify(result).slice(0, 500);
}

function State({ step }: { readonly step: StepRow }): ReactElement {
  const { state, name, child, until, job, isLive } = step;
  return (
    <>
      <StateBadge state={state} />
      {state === "waiting" ? ` for the signal ${name}` : null}
      {child === undefined ? null : (
        <>
          {" "}
          <Link href={jobAddress(child)}>{child.id}</Link>
        </>
      )}
      {until === undefined || state === "done" ? null : (
        <>
          {" "}
          until <Moment at={until} />
        </>
      )}
      {state === "waiting" && isLive ? (
        <>
          {" "}
          <SendSignal job={job} name={name} />
        </>
      ) : null}
    </>
  );
}

function SendSignal({ job: { queue, id }, name }: SignalProps): ReactElement {
  return (
    <Action
      label="Send signal"
      question={`Send the signal ${name} to ${id}?`}
      path={pathOf("jobs", queue, id, "signal")}
      body={{ name }}
      asksValue="Its value, as JSON (empty: null)"
      done={() => `The signal ${name} was sent.`}
    >
      <p>The job takes it and goes on. This can&rsquo;t be undone.</p>
    </Action>
  );
}

interface SignalProps {
  readonly job: RefView;
  readonly name: string;
}
