import { activeStates, type MachineStatus, type RecordedError } from "@millrace/core";
import { shownError, type ShowValue } from "@millrace/telemetry/masking";
import type { FleetMachineState } from "../fleet/fleet-machines.ts";
import type {
  MachineChartView,
  MachineCountsView,
  MachineRowView,
  MachinesPageView,
  MachineView,
} from "./views/machine-views.ts";
import type { Reading } from "./reading.ts";

const PAGE = 200;

/** What is asked of the list. An empty word asks for nothing. */
export interface AskedMachines {
  readonly machine: string;
  readonly state: string;
  readonly status?: MachineStatus;
  readonly after?: number;
}

/** A page of them, those that changed last first. */
export async function machines(
  { fleet, show }: Pick<Reading, "fleet" | "show">,
  { machine, state, ...asked }: AskedMachines,
): Promise<MachinesPageView> {
  const { machines: found, next } = await fleet.machines.list({
    ...{ ...asked, limit: PAGE },
    ...(machine === "" ? {} : { machine }),
    ...(state === "" ? {} : { state }),
  });
  return {
    rows: found.map((one) => rowView(one, show)),
    ...(next === undefined ? {} : { next }),
  };
}

export async function machine(
  { fleet, show }: Pick<Reading, "fleet" | "show">,
  name: string,
  id: string,
): Promise<MachineView> {
  const found = await fleet.machine(name, id).snapshot();
  const { version, startedAt, context, output, error, trouble, jobs, timers, trail } = found;
  return {
    ...rowView(found, show),
    ...{ version, startedAt },
    context: show(context),
    ...(output === undefined ? {} : { output: show(output) }),
    ...(error === undefined ? {} : { error: errorWords(error, show) }),
    ...(trouble === undefined
      ? {}
      : { failedEvent: { at: trouble.at, event: shownType(trouble.event, show) } }),
    jobs: Object.entries(jobs).map(([actor, { job, queue }]) => ({ actor, id: job, queue })),
    timers: timers.map(({ at, event }) => ({ at, event: shownType(event.type, show) })),
    active: activeStates(found.value),
    trail: trail
      .map(({ at, event, value }) => ({
        ...{ at, event: shownType(event, show), state: stateWords(value) },
        active: activeStates(value),
      }))
      .toReversed(),
  };
}

export async function machineChart(
  { fleet }: Pick<Reading, "fleet">,
  name: string,
  version: number | undefined,
): Promise<MachineChartView> {
  const chart = await fleet.machines.chart(name, version === undefined ? {} : { version });
  return chart === undefined ? {} : { chart };
}

export async function machineCounts(
  { fleet }: Pick<Reading, "fleet">,
  name: string,
): Promise<MachineCountsView> {
  const { byState } = await fleet.machines.count(name);
  return { byState };
}

function rowView(
  { machine: name, id, status, value, changedAt, timers, trouble }: FleetMachineState,
  show: ShowValue,
): MachineRowView {
  const [next] = timers;
  return {
    ...{ machine: name, id, status, changedAt, state: stateWords(value) },
    ...(next === undefined ? {} : { nextAt: next.at }),
    ...(trouble === undefined ? {} : { trouble: errorWords(trouble.error, show) }),
  };
}

function errorWords(error: RecordedError, show: ShowValue): string {
  const { type, message } = shownError(error, show);
  return `${type}: ${message}`;
}

/** An event's type is whatever its sender wrote. */
function shownType(type: string, show: ShowValue): string {
  return String(show(type.slice(0, 200)));
}

/** XState's value in words. A machine that failed in its beginning has none. */
function stateWords(value: unknown): string {
  return activeStates(value).join(", ");
}
