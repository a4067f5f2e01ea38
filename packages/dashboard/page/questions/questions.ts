import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import type {
  MachineChartView,
  MachineCountsView,
  MachinesPageView,
  RuntimeMachinesView,
  MachineView,
} from "../../src/api/views/machine-views.ts";
import type { LimitsPageView } from "../../src/api/views/limits-views.ts";
import type { ScheduleDayView } from "../../src/api/views/schedule-day-views.ts";
import type { HoldAnswerView } from "../../src/api/views/hold-views.ts";
import type { FamilyView } from "../../src/api/views/family-views.ts";
import type { JobLogView } from "../../src/api/views/log-views.ts";
import type { JobsView } from "../../src/api/views/job-list-views.ts";
import type {
  AuditView,
  CountView,
  DoctorView,
  JobView,
  OldestView,
  OperationView,
  OverviewView,
  QueueDetailView,
  RefView,
  ScheduleView,
  SessionView,
} from "../../src/api/views/views.ts";
import type { DeadFilterView, DeadRowView } from "../../src/api/views/dead-views.ts";
import type { CausesView } from "../../src/api/views/error-views.ts";
import type { CompletionsView, IndexView } from "../../src/api/views/search-views.ts";
import type { PlotsView } from "../../src/api/views/plots-views.ts";
import type { OutboxView } from "../../src/api/views/outbox-views.ts";
import { leftIn } from "../words/draining.tsx";
import { read } from "./api.ts";
import { pathOf, queryOf } from "../words/paths.ts";
import { DOCTOR_PLACE, OUTBOX_PLACE, PLACES } from "../words/places.ts";

/** What the feed doesn't tell (new jobs, silent nodes) is asked again after this long. */
const AGAIN_MS = 5_000;
/** Of what moves while somebody looks at it. */
const SOON_MS = 1_000;

interface Question<View> {
  readonly queryKey: readonly unknown[];
  readonly queryFn: (context: { readonly signal: AbortSignal }) => Promise<View>;
}

function question<View>(queryKey: readonly unknown[], path: string): Question<View> {
  return { queryKey, queryFn: ({ signal }) => read<View>(path, signal) };
}

function useAnswer<View>(
  key: readonly unknown[],
  path: string,
  everyMs: number | false = AGAIN_MS,
): UseQueryResult<View> {
  return useQuery({ ...question<View>(key, path), refetchInterval: everyMs });
}

export const useSession = (): UseQueryResult<SessionView> =>
  useAnswer(["session"], "session", false);

/** Pages that there are, in the order of the navigation. */
export function usePlaces(): readonly (readonly [string, string])[] {
  const session = useSession().data;
  return [
    ...PLACES,
    ...(session?.outbox === true ? [OUTBOX_PLACE] : []),
    ...(session?.doctor === true ? [DOCTOR_PLACE] : []),
  ];
}

/** It asks the server a hundred things. */
const DOCTOR_AGAIN_MS = 60_000;

export const useDoctor = (): UseQueryResult<DoctorView> =>
  useAnswer(["doctor"], "doctor", DOCTOR_AGAIN_MS);

export const useOutbox = (): UseQueryResult<OutboxView> => useAnswer(["outbox"], "outbox");

export const useOverview = (): UseQueryResult<OverviewView> => useAnswer(["overview"], "overview");

/** One that is drained is looked at until it is empty. */
export const useQueue = (queue: string): UseQueryResult<QueueDetailView> =>
  useQuery({
    ...question<QueueDetailView>(["queue", queue], pathOf("queues", queue)),
    refetchInterval: ({ state: { data } }) => {
      const isDraining = data?.queue.open === false && leftIn(data.queue) > 0;
      return isDraining ? SOON_MS : AGAIN_MS;
    },
  });

/** Of a moment: another one is the oldest the next time. */
export const useOldest = (queue: string): UseQueryResult<OldestView> =>
  useQuery({
    ...question<OldestView>(["oldest", queue], pathOf("queues", queue, "oldest")),
    gcTime: 0,
    refetchInterval: ({ state: { error } }) => (error === null ? false : AGAIN_MS),
  });

export interface JobsFilter {
  readonly state: string;
  readonly queue: string;
  readonly name: string;
  readonly filter: string;
  readonly limit: string;
}

export const useJobs = (filter: JobsFilter): UseQueryResult<JobsView> =>
  useAnswer(["jobs", filter], `jobs${queryOf({ ...filter })}`);

/** Asked once, where the index can say it. */
export const useJobCount = (
  { limit: _limit, ...filter }: JobsFilter,
  isAsked: boolean,
): UseQueryResult<CountView> =>
  useQuery({
    ...question<CountView>(["jobs", "count", filter], `jobs/count${queryOf(filter)}`),
    enabled: isAsked,
  });

export const useJob = (queue: string, id: string): UseQueryResult<JobView> =>
  useAnswer(["job", queue, id], pathOf("jobs", queue, id));

/** Each of the family is looked up. */
const FAMILY_AGAIN_MS = 15_000;

export const useFamily = ({ queue, id }: RefView): UseQueryResult<FamilyView> =>
  useAnswer(["job", queue, id, "family"], pathOf("jobs", queue, id, "family"), FAMILY_AGAIN_MS);

/** All locks have to be read for it, and all nodes asked. Another state is another question. */
export const useJobHold = (
  queue: string,
  id: string,
  state: string,
): UseQueryResult<HoldAnswerView> =>
  useAnswer(["job", queue, id, "hold", state], pathOf("jobs", queue, id, "hold"));

/** What runs may log at any moment, and the feed doesn't tell of it. */
export const useJobLog = (queue: string, id: string, isLive: boolean): UseQueryResult<JobLogView> =>
  useAnswer(
    ["job", queue, id, "log"],
    pathOf("jobs", queue, id, "log"),
    isLive ? SOON_MS : AGAIN_MS,
  );

export const useCauses = (asked: {
  readonly queue: string;
  readonly filter: string;
  /** `only`: those of which there are dead letters. */
  readonly dead?: string;
}): UseQueryResult<CausesView> => useAnswer(["errors", asked], `errors${queryOf({ ...asked })}`);

/** All locks have to be read for it. */
export const useLimits = (): UseQueryResult<LimitsPageView> => useAnswer(["limits"], "limits");

export const useLetters = (filter: DeadFilterView): UseQueryResult<readonly DeadRowView[]> =>
  useAnswer(["dead", filter], `dead/letters${queryOf({ filter: JSON.stringify(filter) })}`);

export const useSchedules = (): UseQueryResult<readonly ScheduleView[]> =>
  useAnswer(["schedules"], "schedules");

/** Its times don't move. */
const DAY_AGAIN_MS = 60_000;

export const useScheduleDay = (): UseQueryResult<ScheduleDayView> =>
  useAnswer(["schedules", "day"], "schedules/day", DAY_AGAIN_MS);

/** Where few are asked for, many have to be read for it. */
const MACHINES_AGAIN_MS = 30_000;

export const useMachines = (filter: {
  readonly machine: string;
  readonly status: string;
  readonly state: string;
  readonly after: string;
}): UseQueryResult<MachinesPageView> =>
  useAnswer(["machines", filter], `machines${queryOf({ ...filter })}`, MACHINES_AGAIN_MS);

export const useMachine = (machine: string, id: string): UseQueryResult<MachineView> =>
  useAnswer(["machine", machine, id], pathOf("machines", machine, id), SOON_MS);

/** @param version undefined: the newest */
export const useMachineChart = (
  machine: string,
  version?: number,
): UseQueryResult<MachineChartView> =>
  useAnswer(
    ["chart", machine, version],
    `${pathOf("charts", machine)}${version === undefined ? "" : queryOf({ version: String(version) })}`,
    MACHINES_AGAIN_MS,
  );

export const useMachineCounts = (machine: string): UseQueryResult<MachineCountsView> =>
  useAnswer(["counts", machine], pathOf("charts", machine, "counts"), MACHINES_AGAIN_MS);

export const useRuntimeMachines = (): UseQueryResult<RuntimeMachinesView> =>
  useAnswer(["machines", "runtime"], "machines/runtime");

export const useAudit = (): UseQueryResult<readonly AuditView[]> => useAnswer(["audit"], "audit");

export const useOperations = (): UseQueryResult<readonly OperationView[]> =>
  useAnswer(["operations"], "operations", SOON_MS);

export const useOperation = (id: string): UseQueryResult<OperationView> =>
  useAnswer(["operation", id], pathOf("operations", id), SOON_MS);

/** What is sampled once a minute. */
const PLOTS_AGAIN_MS = 30_000;

export const usePlots = (range: string, queue: string): UseQueryResult<PlotsView> =>
  useQuery({
    ...question<PlotsView>(["plots", range, queue], `plots${queryOf({ range, queue })}`),
    refetchInterval: PLOTS_AGAIN_MS,
    placeholderData: (before) => before,
  });

export const useIndex = (isThere: boolean): UseQueryResult<IndexView> =>
  useQuery({
    ...question<IndexView>(["search"], "search"),
    refetchInterval: AGAIN_MS,
    enabled: isThere,
  });

/** What a filter is about: dead letters, or jobs, and those in a state now among some of them. */
export type Completed =
  { readonly of: "dead" } | { readonly of: "jobs"; readonly state: string; readonly queue: string };

/** How a filter may go on. The last ones stay while the next are asked for. */
export const useCompletions = (
  { of, ...which }: Completed,
  filter: string,
  isAsked: boolean,
): UseQueryResult<CompletionsView> =>
  useQuery({
    ...question<CompletionsView>(
      ["completions", of, which, filter],
      `${of}/completions${queryOf({ ...which, filter })}`,
    ),
    placeholderData: (before) => before,
    enabled: isAsked,
  });

/** How many things an operation would be about. Asked once: it may read much. */
export const useMatching = (target: object): UseQueryResult<CountView> =>
  useQuery(matchingOf(target));

/** The same as far as it is known: nobody asks for it. */
export const useCounted = (target: object): UseQueryResult<CountView> =>
  useQuery({ ...matchingOf(target), enabled: false });

function matchingOf(target: object): Question<CountView> {
  return question(
    ["matching", target],
    `operations/count${queryOf({ target: JSON.stringify(target) })}`,
  );
}
