import { type Clock, MillraceError } from "@millrace/core";
import type { ShowValue } from "@millrace/telemetry/masking";
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { askRefusal } from "../access/request-check.ts";
import { requireRight, type Right } from "../access/rights.ts";
import type { DashboardEnv } from "../access/user.ts";
import type { Drains } from "../fleet/drains.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { OnceAMoment } from "../fleet/once-a-moment.ts";
import type { DashboardDoctor } from "../fleet/doctor.ts";
import type { DashboardSearch } from "../fleet/search.ts";
import type { DashboardOutbox } from "../fleet/outbox.ts";
import type { LiveFeed } from "../live/live-feed.ts";
import { liveStream } from "../live/live-stream.ts";
import { MOST_CAUSES } from "./dead-views.ts";
import {
  askedFilter,
  askedJson,
  askedLimit,
  askedState,
  askedAfter,
  askedStatus,
  askedTarget,
  askedVersion,
} from "./asked.ts";
import * as changes from "./changes.ts";
import { doctorView } from "./doctor.ts";
import { family } from "./family.ts";
import { jobHold } from "./job-hold.ts";
import { jobLog } from "./job-log.ts";
import { limits, releaseLock, setLimits } from "./limits.ts";
import { machine, machineChart, machineCounts, machines, sendEvent } from "./machines.ts";
import { outboxView, retryRows } from "./outbox.ts";
import type { Reading } from "./reading.ts";
import * as reads from "./reads.ts";
import { plots } from "./plots.ts";
import { runtimeMachines } from "./runtime-machines.ts";
import { scheduleDay } from "./schedule-day.ts";
import { completions, indexView, LONGEST_FILTER, rebuildIndex, searchedJobs } from "./search.ts";
import { deadGroupView, deadRow, operationView } from "./show.ts";
import { revealedJob, revealedMachine } from "./reveal.ts";
import type { ChangeView, CountView, JobsView, RevealedView, SessionView } from "./views.ts";

export interface ApiHost {
  readonly fleet: Fleet;
  readonly drains: Drains;
  readonly show: ShowValue;
  readonly clock: Clock;
  readonly feed: LiveFeed;
  readonly known: OnceAMoment;
  readonly title: string;
  readonly outbox: DashboardOutbox | undefined;
  readonly doctor: DashboardDoctor | undefined;
  readonly search: DashboardSearch | undefined;
  readonly grafana: string | undefined;
  readonly traceUrl: string | undefined;
}

type ApiContext = Context<DashboardEnv>;

const LARGEST_BODY = 64 * 1024;

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
  api.get("/live", (context) => liveStream(host.feed, host.clock, context.req.raw.signal));
  return api;
}

/** @param by the parameters that the answer depends on; others make no other question */
type Read = (
  path: string,
  answer: (context: ApiContext) => Promise<object>,
  by?: readonly string[],
) => void;

const OF_JOBS = ["state", "queue", "name", "filter", "limit"];

function addReads(
  api: Hono<DashboardEnv>,
  { fleet, show, clock, feed, title, outbox, doctor, search, grafana, traceUrl }: ApiHost,
  known: OnceAMoment,
): void {
  const reading: Reading = { fleet, show, now: () => clock.now() };
  const read: Read = (path, answer, by = []) =>
    void api.get(path, async (context) => {
      const asked = new URLSearchParams();
      for (const name of by) {
        const value = context.req.query(name);
        if (value !== undefined) asked.set(name, value);
      }
      return context.json(
        await known.ask(`${context.req.path}?${asked.toString()}`, () => answer(context)),
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
  read("/overview", () => reads.overview(reading, feed.rates()));
  read("/queues/:queue", (context) => reads.queueDetail(reading, param(context, "queue")));
  addJobReads(read, reading, search);
  read(
    "/plots",
    (context) => {
      const { range = "1h", queue } = context.req.query();
      return plots(reading, search, range, queue === "" ? undefined : queue);
    },
    ["range", "queue"],
  );
  read("/search", () => indexView(search));
  read("/search/completions", (context) => completions(search, context.req.query("filter") ?? ""), [
    "filter",
  ]);
  read(
    "/dead/completions",
    (context) => fleet.dead.complete((context.req.query("filter") ?? "").slice(0, LONGEST_FILTER)),
    ["filter"],
  );
  addDeadReads(read, reading);
  read("/operations", async () =>
    (await fleet.operations.list()).slice(0, 100).map((one) => operationView(one, show)),
  );
  read(
    "/operations/count",
    async (context): Promise<CountView> => {
      const target = askedTarget(askedJson(context.req.query("target") ?? "{}"));
      return { count: await fleet.operations.count(target) };
    },
    ["target"],
  );
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

/** Jobs that match and are counted; of more it is said that there are more. */
const MOST_COUNTED = "1000";

function listedJobs(
  reading: Reading,
  search: DashboardSearch | undefined,
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
  if (search === undefined || asked.kind === "live") return reads.jobs(reading, asked, query);
  return searchedJobs(search, {
    ...query,
    ...(asked.state === undefined ? {} : { state: asked.state }),
  });
}

function addJobReads(read: Read, reading: Reading, search: DashboardSearch | undefined): void {
  read("/jobs", (context) => listedJobs(reading, search, context.req.query()), OF_JOBS);
  read(
    "/jobs/count",
    async (context): Promise<CountView> => {
      const most = { ...context.req.query(), limit: MOST_COUNTED };
      const { jobs, more } = await listedJobs(reading, search, most);
      return { count: jobs.length, more };
    },
    OF_JOBS,
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

function addDeadReads(read: Read, { fleet, show }: Reading): void {
  read(
    "/dead",
    async (context) => {
      const { queue = "", filter = "" } = context.req.query();
      const groups = await fleet.dead.groups({
        ...(queue === "" ? {} : { queue }),
        ...(filter.trim() === "" ? {} : { where: filter }),
      });
      return groups.slice(0, MOST_CAUSES).map((group) => deadGroupView(group, show));
    },
    ["queue", "filter"],
  );
  read(
    "/dead/letters",
    async (context) => {
      const filter = askedFilter(askedJson(context.req.query("filter") ?? "{}"));
      const letters = await fleet.dead.list({ ...filter, limit: 100 });
      return letters.map((letter) => deadRow(letter, show));
    },
    ["filter"],
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

function addChanges(
  api: Hono<DashboardEnv>,
  { fleet, drains, show, outbox, search }: ApiHost,
  known: OnceAMoment,
): void {
  api.use(
    bodyLimit({
      maxSize: LARGEST_BODY,
      onError: () => {
        throw new MillraceError("invalid-option", `body: must be at most ${LARGEST_BODY} bytes.`);
      },
    }),
  );
  type Act<View> = (asking: changes.Asking, context: ApiContext) => Promise<View>;
  // The right stands beside the path that the router has matched: there is no other way to `act`.
  const post = (path: string, right: Right, act: Act<object>): void =>
    void api.post(path, async (context) => {
      const user = context.get("user");
      requireRight(user, right);
      const body = askedJson(await context.req.text());
      try {
        return context.json(await act({ fleet, drains, show, user, body }, context));
      } finally {
        known.forget();
      }
    });
  const change = (path: string, act: Act<ChangeView>): void => post(path, "operator", act);
  const reveal = (path: string, act: Act<RevealedView>): void => post(path, "payloads", act);

  change("/dead/retry", (asking) => changes.settleLetters("retry", asking));
  change("/dead/discard", (asking) => changes.settleLetters("discard", asking));
  change("/outbox/retry", (asking) => retryRows(outbox, asking));
  change("/search/rebuild", (asking) => rebuildIndex(search, asking));
  change("/operations", (asking) => changes.startOperation(asking));
  change("/operations/:id/stop", (asking, context) =>
    changes.stopOperation(param(context, "id"), asking),
  );
  change("/operations/:id/undo", (asking, context) =>
    changes.undoOperation(param(context, "id"), asking),
  );
  change("/queues/:queue/set", (asking, context) => setLimits(param(context, "queue"), asking));
  change("/locks/release", (asking) => releaseLock(asking));
  change("/queues/:queue/:action", (asking, context) =>
    changes.changeQueue(param(context, "queue"), param(context, "action"), asking),
  );
  change("/jobs/:queue/:id/cancel", (asking, context) =>
    changes.cancelJob(param(context, "queue"), param(context, "id"), asking),
  );
  change("/jobs/:queue/:id/edit", (asking, context) =>
    changes.editJob(param(context, "queue"), param(context, "id"), asking),
  );
  reveal("/jobs/:queue/:id/reveal", (asking, context) =>
    revealedJob(param(context, "queue"), param(context, "id"), asking),
  );
  reveal("/machines/:machine/:id/reveal", (asking, context) =>
    revealedMachine(param(context, "machine"), param(context, "id"), asking),
  );
  change("/jobs/:queue/:id/signal", (asking, context) =>
    changes.signalJob(param(context, "queue"), param(context, "id"), asking),
  );
  change("/machines/:machine/:id/send", (asking, context) =>
    sendEvent(param(context, "machine"), param(context, "id"), asking),
  );
  change("/schedules/:name/:action", (asking, context) =>
    changes.changeSchedule(param(context, "name"), param(context, "action"), asking),
  );
  change("/nodes/:name/:action", (asking, context) =>
    changes.orderNode(param(context, "name"), param(context, "action"), asking),
  );
}

function param(context: ApiContext, name: string): string {
  return context.req.param(name) ?? "";
}
