import type { ReactElement, ReactNode } from "react";
import { Link, useSearchParams } from "wouter";
import type { ChartView, MachineRowView } from "../../src/api/views/machine-views.ts";
import { machineAddress } from "../words/addresses.ts";
import { After, Answer, Page } from "../questions/answer.tsx";
import { StartMachine } from "../machines/change-machine.tsx";
import { type DataColumn, DataTable } from "../tables/data-table.tsx";
import { MachineChartDrawn } from "../machines/machine-chart.tsx";
import { useMachineChart, useMachineCounts, useMachines } from "../questions/questions.ts";
import { StateBadge } from "../words/state-badge.tsx";
import { Moment } from "../words/time.tsx";

/** Durable machines, those that changed last first. */
export function MachinesPage(): ReactElement {
  const [asked, setAsked] = useSearchParams();
  const word = (name: string): string => asked.get(name) ?? "";
  const filter = {
    ...{ machine: word("machine"), status: word("status"), state: word("state") },
    after: word("after"),
  };
  const machines = useMachines(filter);
  const ask = (change: Partial<typeof filter>): void =>
    setAsked(
      Object.entries({ ...filter, after: "", ...change }).filter(([, value]) => value !== ""),
      { replace: true },
    );
  return (
    <Page
      title="Machines"
      actions={
        <>
          <Link href="/machines/runtime">Machines of the runtime</Link>
          <StartMachine key={filter.machine} machine={filter.machine} />
        </>
      }
    >
      <form className="filter" onSubmit={(event) => event.preventDefault()}>
        <label>
          Machine
          <input
            value={filter.machine}
            onChange={(event) => ask({ machine: event.target.value.trim() })}
          />
        </label>
        <label>
          State
          <input
            value={filter.state}
            onChange={(event) => ask({ state: event.target.value.trim() })}
          />
        </label>
        <label>
          Status
          <select value={filter.status} onChange={(event) => ask({ status: event.target.value })}>
            <option value="">all</option>
            {["active", "done", "error", "stopped"].map((status) => (
              <option key={status}>{status}</option>
            ))}
          </select>
        </label>
      </form>
      <Counted machine={filter.machine}>
        <Answer of={machines}>
          {({ rows, next }) => (
            <>
              <DataTable
                label="Machines"
                columns={COLUMNS}
                rows={rows}
                rowKey={({ machine, id }) => `${machine}.${id}`}
                empty={
                  <p>
                    No such machines{next === undefined ? "" : " among those that were looked at"}.
                    A durable machine is a chart whose state is stored: <code>defineMachine()</code>
                    .
                  </p>
                }
              />
              <Paging
                isFirst={filter.after === ""}
                next={next}
                onPage={(after) => ask({ after: String(after ?? "") })}
              />
            </>
          )}
        </Answer>
      </Counted>
    </Page>
  );
}

function Paging(props: {
  readonly isFirst: boolean;
  readonly next: number | undefined;
  readonly onPage: (after: number | undefined) => void;
}): ReactElement | null {
  const { isFirst, next, onPage } = props;
  if (isFirst && next === undefined) return null;
  return (
    <p>
      <button type="button" disabled={isFirst} onClick={() => onPage(undefined)}>
        First page
      </button>{" "}
      <button type="button" disabled={next === undefined} onClick={() => onPage(next)}>
        Next page
      </button>
    </p>
  );
}

interface CountedProps {
  readonly machine: string;
  /** The list of them. */
  readonly children: ReactNode;
}

/** Where one name is asked for, its chart is above the list. */
function Counted({ machine, children }: CountedProps): ReactNode {
  return machine === "" ? children : <Named machine={machine}>{children}</Named>;
}

function Named({ machine, children }: CountedProps): ReactElement {
  const charted = useMachineChart(machine);
  return (
    <>
      <Chart machine={machine} chart={charted.data?.chart} />
      <After of={charted}>{children}</After>
    </>
  );
}

/** Of one name: how many are in each state of the newest chart. */
function Chart({
  machine,
  chart,
}: {
  readonly machine: string;
  readonly chart: ChartView | undefined;
}): ReactElement | null {
  const { byState = {} } = useMachineCounts(machine).data ?? {};
  if (chart === undefined) return null;
  const counted = Object.entries(byState).map(([path, count]) => `${count} in ${path}`);
  return (
    <section aria-labelledby="chart">
      <h2 id="chart">Chart of {machine}</h2>
      <MachineChartDrawn
        chart={chart}
        lit={{ counts: byState }}
        label={counted.length === 0 ? "No machine is active" : counted.join(", ")}
      />
    </section>
  );
}

const COLUMNS: readonly DataColumn<MachineRowView>[] = [
  { id: "machine", title: "Machine", value: ({ machine }) => machine },
  {
    id: "id",
    title: "Id",
    value: ({ id }) => id,
    cell: ({ machine, id }) => <Link href={machineAddress(machine, id)}>{id}</Link>,
  },
  {
    id: "status",
    title: "Status",
    value: ({ status }) => status,
    cell: ({ status }) => <StateBadge state={status} />,
  },
  { id: "state", title: "State", value: ({ state }) => state },
  {
    id: "changed",
    title: "Changed",
    value: ({ changedAt }) => changedAt,
    cell: ({ changedAt }) => <Moment at={changedAt} />,
  },
  {
    id: "next",
    title: "Next timer",
    value: ({ nextAt = 0 }) => nextAt,
    cell: ({ nextAt }) => (nextAt === undefined ? "" : <Moment at={nextAt} />),
  },
  { id: "trouble", title: "Trouble", value: ({ trouble = "" }) => trouble },
];
