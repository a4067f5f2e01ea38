import { Hono } from "hono";
import { askRefusal } from "../access/request-check.ts";
import { requireRight } from "../access/rights.ts";
import type { DashboardEnv } from "../access/user.ts";
import { OnceAMoment } from "../fleet/once-a-moment.ts";
import { takeTurns, type Turns } from "../fleet/take-turns.ts";
import type { DashboardSearch } from "../fleet/search.ts";
import { liveStream } from "../live/live-stream.ts";
import {
  askedFilter,
  askedJson,
  askedLimit,
  askedState,
  askedAfter,
  askedStatus,
  askedTarget,
  askedVersion,
} from "./changes/asked.ts";
import { type ApiContext, type ApiHost, param } from "./api-host.ts";
import { addChanges } from "./changes/change-routes.ts";
import { countsInTurn } from "./counting.ts";
import { doctorView } from "./doctor.ts";
import { causes, LETTERS_TIME } from "./errors.ts";
import { family } from "./family.ts";
import { jobHold } from "./job-hold.ts";
import { jobLog } from "./job-log.ts";
import { limits } from "./limits.ts";
import { machine, machineChart, machineCounts, machines } from "./machines.ts";
import { outboxView } from "./outbox.ts";
import type { Reading } from "./reading.ts";
import { MOST_LETTERS, MOST_OPERATIONS } from "./most.ts";
import * as reads from "./reads.ts";
import { plots } from "./plots.ts";
import { runtimeMachines } from "./runtime-machines.ts";
import { scheduleDay } from "./schedule-day.ts";
import { completions, indexView, LONGEST_FILTER, searchedJobs } from "./search.ts";
import { deadRow, operationView } from "./show.ts";
import type { JobsView } from "./views/job-list-views.ts";
import type { CountView, SessionView } from "./views/views.ts";

/** What the page asks for and what it changes, as JSON. */
export function apiOf(host: ApiHost): Hono<DashboardEnv> {
  const api = new Hono<DashboardEnv>();
  api.use(async (context, next) => {
    const message = askRefusal(context.req.raw.headers);
    if (message === undefined) return next();
    return context.json({ error: { code: "dashboard-denied", message } }, 403);
  });
  addReads(api, host, host.known);
  addChanges(api, host, host.known);
  api.get("/live", ({ req: { raw } }) =>
    liveStream(host.feed, host.clock, {
      signal: raw.signal,
      isLetIn: async () => (await host.authorize(raw)) !== undefined,
      onDefect: host.onDefect,
    }),
  );
  return api;
}

/** One is taken a minute. */
const SAMPLES_AGAIN_MS = 20_000;

/**
 * @param by the parameters that the answer depends on; others make no other question
 * @param ends the answer ends at its signal, where all have left who wait for it: else it goes on,
 *   and whoever asks next is told of it
 */
type Read = (
  path: string,
  answer: (context: ApiContext, left: AbortSignal) => Promise<object>,
  by?: readonly string[],
  ends?: "ends",
) => void;

const OF_JOBS = ["state", "queue", "name", "filter", "limit"];

function addReads(
  api: Hono<DashboardEnv>,
  { fleet, show, clock, feed, title, outbox, doctor, search, grafana, traceUrl }: ApiHost,
  known: OnceAMoment,
): void {
  const reading: Reading = { fleet, show, now: () => clock.now() };
  const read: Read = (path, answer, by = [], ends?) =>
    void api.get(path, async (context) => {
      const asked = new URLSearchParams();
      for (const name of by) {
        const value = context.req.query(name);
        if (value !== undefined) asked.set(name, value);
      }
      return context.json(
        await known.ask(
          `${context.req.path}?${asked.toString()}`,
          (left) => answer(context, left),
          ends === undefined ? undefined : context.req.raw.signal,
        ),
      );
    });

  api.get("/session", (context) => {
    const { name, role, payloads = false } = context.get("user");
    return context.json({
      ...{ user: { name, role, payloads }, title, outbox: outbox !== undefined },
      doctor: doctor !== undefined,
      search: search !== undefined,
      ...(grafana === undefined ? {} : { grafana }),
      ...(traceUrl === undefined ? {} : { traceUrl }),
    } satisfies SessionView);
  });
  const samples = new OnceAMoment(clock, SAMPLES_AGAIN_MS);
  const lately = () => samples.ask("lately", () => reads.samplesLately(reading));
  read("/overview", () => reads.overview(reading, feed.rates(), lately));
  read("/queues/:queue", (context) => reads.queueDetail(reading, param(context, "queue")));
  // The page goes on to that job: the answer of a moment ago may name one that has ended.
  api.get("/queues/:queue/oldest", async (context) =>
    context.json(await reads.oldestJob(reading, param(context, "queue"))),
  );
  addJobReads(read, reading, search);
  read(
    "/plots",
    (context) => {
      const { range = "1h", queue } = context.req.query();
      return plots(reading, search, range, queue === "" ? undefined : queue);
    },
    ["range", "queue"],
  );
  read("/search", () => indexView(search, show));
  addErrorReads(read, reading, search);
  read("/operations", async () =>
    (await fleet.operations.list())
      .slice(0, MOST_OPERATIONS)
      .map((one) => operationView(one, show)),
  );
  const count = countsInTurn(fleet);
  // Only operators are asked whether they are sure, and it may read all that waits.
  api.get("/operations/count", async (context) => {
    requireRight(context.get("user"), "operator");
    const target = askedTarget(askedJson(context.req.query("target") ?? "{}"));
    return context.json(await count(target, context.req.raw.signal));
  });
  read("/operations/:id", async (context) =>
    operationView(await fleet.operations.get(param(context, "id")), show),
  );
  read("/limits", () => limits(reading));
  read("/schedules/day", () => scheduleDay(reading));
  read("/schedules", () => reads.schedules(reading));
  addMachineReads(read, reading);
  read("/audit", () => reads.audit(reading));
  read("/outbox", () => outboxView(outbox, show));
  read("/doctor", () => doctorView(doctor, show));
}

/** Each looks for two seconds at most: whoever asks for many holds up the others for so long. */
const LOOKS_AT_ONCE = 2;
/** Jobs that match and are counted; of more it is said that there are more. */
const MOST_COUNTED = "1000";

function listedJobs(
  { reading, search, inTurn, signal }: AskedJobs,
  { state, queue, name, filter, limit }: Readonly<Record<string, string>>,
): Promise<JobsView> {
  const asked = askedState(state);
  const query = {
    limit: askedLimit(limit),
    ...(queue === undefined || queue === "" ? {} : { queue }),
    ...(name === undefined || name === "" ? {} : { name }),
    ...(filter === undefined || filter.trim() === "" ? {} : { where: filter }),
  };
  // Where a job is now, only the server knows.
  if (asked.kind === "live") {
    const look = () => reads.liveJobs(reading, asked.state, query);
    return "name" in query || "where" in query ? inTurn(look, signal) : look();
  }
  if (search === undefined) return reads.jobs(reading, asked.state, query);
  return searchedJobs(search, {
    ...query,
    ...(asked.state === undefined ? {} : { state: asked.state }),
  });
}

interface AskedJobs {
  readonly reading: Reading;
  readonly search: DashboardSearch | undefined;
  /** Of looks through all that waits. */
  readonly inTurn: Turns;
  /** Aborted where nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

function addJobReads(read: Read, reading: Reading, search: DashboardSearch | undefined): void {
  const inTurn = takeTurns();
  const asked = { reading, search, inTurn: takeTurns(LOOKS_AT_ONCE) };
  read(
    "/jobs",
    (context, signal) => listedJobs({ ...asked, signal }, context.req.query()),
    OF_JOBS,
    "ends",
  );
  read(
    "/jobs/count",
    async (context, signal): Promise<CountView> => {
      const most = { ...context.req.query(), limit: MOST_COUNTED };
      const { jobs, more } = await listedJobs({ ...asked, signal }, most);
      return { count: jobs.length, more };
    },
    OF_JOBS,
    "ends",
  );
  read(
    "/jobs/completions",
    (context, signal) => completions({ ...reading, signal }, inTurn, search, context.req.query()),
    ["state", "queue", "filter"],
    "ends",
  );
  read("/jobs/:queue/:id", (context) =>
    reads.job(reading, param(context, "queue"), param(context, "id")),
  );
  read("/jobs/:queue/:id/family", (context) =>
    family(reading, { queue: param(context, "queue"), id: param(context, "id") }),
  );
  read("/jobs/:queue/:id/hold", (context) =>
    jobHold(reading, param(context, "queue"), param(context, "id")),
  );
  read("/jobs/:queue/:id/log", (context) =>
    jobLog(reading, param(context, "queue"), param(context, "id")),
  );
}

function addErrorReads(read: Read, reading: Reading, search: DashboardSearch | undefined): void {
  const { fleet, show } = reading;
  const inTurn = takeTurns();
  read(
    "/errors",
    (context, signal) => {
      const { queue = "", filter = "", dead = "" } = context.req.query();
      return causes({ ...reading, signal }, inTurn, search, { queue, filter, dead });
    },
    ["queue", "filter", "dead"],
    "ends",
  );
  read(
    "/dead/completions",
    (context) => fleet.dead.complete((context.req.query("filter") ?? "").slice(0, LONGEST_FILTER)),
    ["filter"],
  );
  read(
    "/dead/letters",
    async (context, signal) => {
      const filter = askedFilter(askedJson(context.req.query("filter") ?? "{}"));
      const limits = { timeout: LETTERS_TIME, signal } as const;
      const letters = await inTurn(
        () => fleet.dead.list({ ...filter, limit: MOST_LETTERS }, limits),
        signal,
      );
      return letters.map((letter) => deadRow(letter, show));
    },
    ["filter"],
    "ends",
  );
}

function addMachineReads(read: Read, reading: Reading): void {
  read(
    "/machines",
    (context) => {
      const { machine: name = "", state = "", status, after } = context.req.query();
      const asked = { ...askedStatus(status), ...askedAfter(after) };
      return machines(reading, { machine: name, state, ...asked });
    },
    ["machine", "state", "status", "after"],
  );
  read("/machines/runtime", () => runtimeMachines(reading));
  read("/charts/:machine/counts", (context) => machineCounts(reading, param(context, "machine")));
  read(
    "/charts/:machine",
    (context) =>
      machineChart(reading, param(context, "machine"), askedVersion(context.req.query("version"))),
    ["version"],
  );
  read("/machines/:machine/:id", (context) =>
    machine(reading, param(context, "machine"), param(context, "id")),
  );
}
