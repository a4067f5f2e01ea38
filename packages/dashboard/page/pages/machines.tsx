import type { ReactElement } from "react";
import { Link, useSearchParams } from "wouter";
import type { MachineRowView } from "../../src/api/machine-views.ts";
import { machineAddress } from "../addresses.ts";
import { Answer, Page } from "../answer.tsx";
import { type DataColumn, DataTable } from "../data-table.tsx";
import { MachineChartDrawn } from "../machine-chart.tsx";
import { useMachineChart, useMachineCounts, useMachines } from "../questions.ts";
import { StateBadge } from "../state-badge.tsx";
import { Moment } from "../time.tsx";

/** Durable machines, those that changed last first. */
export function MachinesPage(): ReactElement {
  const [asked, setAsked] = useSearchParams();
  const filter = { machine: asked.get("machine") ?? "", status: asked.get("status") ?? "" };
  const machines = useMachines(filter);
  const ask = (change: Partial<typeof filter>): void =>
    setAsked(
      Object.entries({ ...filter, ...change }).filter(([, value]) => value !== ""),
      { replace: true },
    );
  return (
    <Page title="Machines">
      <form className="filter" onSubmit={(event) => event.preventDefault()}>
        <label>
          Machine
          <input
            value={filter.machine}
            onChange={(event) => ask({ machine: event.target.value.trim() })}
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
      {filter.machine === "" ? null : <Counted machine={filter.machine} />}
      <Answer of={machines}>
        {(rows) => (
          <DataTable
            label="Machines"
            columns={COLUMNS}
            rows={rows}
            rowKey={({ machine, id }) => `${machine}.${id}`}
            empty={
              <p>
                No such machines. A durable machine is a chart whose state is stored:{" "}
                <code>defineMachine()</code>.
              </p>
            }
          />
        )}
      </Answer>
    </Page>
  );
}

/** Of one name: how many are in each state of the newest chart. */
function Counted({ machine }: { readonly machine: string }): ReactElement | null {
  const { chart } = useMachineChart(machine).data ?? {};
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
