import type { ReactElement } from "react";
import { Link } from "wouter";
import type { ChartView, MachineView } from "../../src/api/views/machine-views.ts";
import { Action } from "../actions/action.tsx";
import { jobAddress } from "../words/addresses.ts";
import { After, Answer, Page } from "../questions/answer.tsx";
import { pathOf } from "../words/paths.ts";
import { RemoveMachine, StopMachine } from "../machines/change-machine.tsx";
import { type DataColumn, DataTable } from "../tables/data-table.tsx";
import { Json } from "../words/json.tsx";
import { Masked, type Reveal, useReveal } from "../actions/reveal.tsx";
import { MachineChartDrawn } from "../machines/machine-chart.tsx";
import { useMachine, useMachineChart } from "../questions/questions.ts";
import { StateBadge } from "../words/state-badge.tsx";
import { eventWords } from "../machines/chart-words.ts";
import { Moment } from "../words/time.tsx";

interface MachineName {
  readonly machine: string;
  readonly id: string;
}

/** One durable machine: how it stands, what it waits for, and the way it took. */
export function MachinePage({ machine, id }: MachineName): ReactElement {
  const answer = useMachine(machine, id);
  const reveal = useReveal(
    pathOf("machines", machine, id, "reveal"),
    // It may hold other things since.
    `${machine}/${id} ${answer.data?.changedAt}`,
  );
  return (
    <Page
      title={`${machine} ${id}`}
      actions={answer.data === undefined ? null : <MachineActions view={answer.data} />}
    >
      <Answer of={answer}>{(view) => <Standing view={view} reveal={reveal} />}</Answer>
    </Page>
  );
}

function MachineActions({ view }: { readonly view: MachineView }): ReactElement {
  const { machine, id, status } = view;
  return (
    <>
      {status === "active" ? (
        <>
          <SendEvent machine={machine} id={id} />
          <StopMachine view={view} />
        </>
      ) : null}
      <RemoveMachine view={view} />
    </>
  );
}

function Standing({
  view,
  reveal,
}: {
  readonly view: MachineView;
  readonly reveal: Reveal;
}): ReactElement {
  const { status, state, version, startedAt, changedAt, error, trouble, failedEvent } = view;
  const charted = useMachineChart(view.machine, version);
  const { chart } = charted.data ?? {};
  return (
    <>
      {failedEvent === undefined ? null : (
        <p className="notice warning">
          {failedEvent.event} could not be taken, <Moment at={failedEvent.at} />: {trouble}
        </p>
      )}
      <dl className="facts">
        <dt>Status</dt>
        <dd>
          <StateBadge state={status} /> {error}
        </dd>
        <dt>State</dt>
        <dd>
          <strong>{state}</strong>
        </dd>
        <dt>Version</dt>
        <dd>{version}</dd>
        <dt>Started</dt>
        <dd>
          <Moment at={startedAt} />
        </dd>
        <dt>Changed</dt>
        <dd>
          <Moment at={changedAt} />
        </dd>
      </dl>
      <Drawn view={view} chart={chart} />
      <After of={charted}>
        <Rest view={view} chart={chart} reveal={reveal} />
      </After>
    </>
  );
}

/** Below the chart. */
function Rest({ view, chart, reveal }: Charted & { readonly reveal: Reveal }): ReactElement {
  return (
    <>
      <Waiting view={view} chart={chart} />
      <h2>Context</h2>
      <Json value={reveal.data?.context ?? view.context} label="Context" />
      <Masked reveal={reveal} />
      {view.output === undefined ? null : (
        <>
          <h2>Output</h2>
          <Json value={reveal.data?.output ?? view.output} label="Output" />
        </>
      )}
      <h2>Last transitions</h2>
      <DataTable
        label="Last transitions"
        columns={COLUMNS}
        rows={view.trail.map((passage, place) => ({
          ...passage,
          ...{ place, event: eventWords(chart, passage.event) },
        }))}
        rowKey={({ place }) => String(place)}
        empty={<p>There are none.</p>}
      />
    </>
  );
}

interface Charted {
  readonly view: MachineView;
  /** As the nodes of the machine's version have told it. */
  readonly chart: ChartView | undefined;
}

function Drawn({ view, chart }: Charted): ReactElement | null {
  if (chart === undefined) return null;
  const { active, trail, state, status, id } = view;
  return (
    <section aria-labelledby="chart">
      <h2 id="chart">Chart</h2>
      <MachineChartDrawn
        chart={chart}
        lit={{ active, trail }}
        label={`${id} ${status === "active" ? "is in" : "has ended in"} ${state}`}
      />
    </section>
  );
}

function Waiting({ view: { jobs, timers, status }, chart }: Charted): ReactElement {
  return (
    <section aria-labelledby="waits">
      <h2 id="waits">Waits for</h2>
      <ul>
        {jobs.map(({ actor, id, queue }) => (
          <li key={actor}>
            the job <Link href={jobAddress({ queue, id })}>{id}</Link> in {queue}
          </li>
        ))}
        {timers.map(({ at, event }) => (
          <li key={`${event}${at}`}>
            the timer {eventWords(chart, event)}, <Moment at={at} />
          </li>
        ))}
        <li>{status === "active" ? "an event" : "nothing: it has come to an end"}</li>
      </ul>
    </section>
  );
}

type Passage = MachineView["trail"][number] & { readonly place: number };

const COLUMNS: readonly DataColumn<Passage>[] = [
  {
    id: "at",
    title: "When",
    value: ({ place }) => place,
    cell: ({ at }) => <Moment at={at} />,
  },
  { id: "event", title: "Event", value: ({ event }) => event },
  { id: "state", title: "State since", value: ({ state }) => state },
];

function SendEvent({ machine, id }: MachineName): ReactElement {
  return (
    <Action
      label="Send event"
      question={`Send an event to ${machine} ${id}?`}
      path={pathOf("machines", machine, id, "send")}
      asksValue={'The event, as JSON: {"type":"APPROVE"}'}
      done={() => "The event was sent."}
    >
      <p>The machine takes it, if its state has a use for it. This can&rsquo;t be undone.</p>
    </Action>
  );
}
