import {
  type Clock,
  MillraceError,
  optionNames,
  refuseUnknown,
  requireMethod,
  systemClock,
} from "@millrace/core";
import { showValue } from "@millrace/telemetry/masking";
import { type Context, Hono } from "hono";
import { askRefusal, changeRefusal, hostRefusal } from "./access/request-check.ts";
import { SECURITY_HEADERS } from "./access/security-headers.ts";
import type { Authorize, DashboardEnv } from "./access/user.ts";
import { apiOf } from "./api/api.ts";
import { failureOf } from "./api/failure.ts";
import type { Fleet } from "./fleet/fleet.ts";
import type { DashboardDoctor } from "./fleet/doctor.ts";
import type { DashboardSearch } from "./fleet/search.ts";
import type { DashboardOutbox } from "./fleet/outbox.ts";
import { Drains } from "./fleet/drains.ts";
import { FleetService } from "./fleet/fleet-service.ts";
import { MOMENT_MS, OnceAMoment } from "./fleet/once-a-moment.ts";
import { LiveFeed } from "./live/live-feed.ts";
import { pageAssets, typeOf } from "./page/page-assets.ts";
import { pageHtml } from "./page/page-html.ts";

/** What a dashboard shows, and to whom. */
export interface DashboardOptions {
  /** A client, as `connect()` makes it. It stays the caller's to close. */
  readonly millrace: Fleet;
  /**
   * Who asks, and what they may. Called for every request; `undefined` refuses. There is no
   * default: whoever reaches the dashboard could change the fleet.
   */
  readonly authorize: Authorize;
  /** Where it is mounted, as a browser sees it. Default: `/`. */
  readonly basePath?: string;
  /** Shown on top of the page: an environment, a namespace. */
  readonly title?: string;
  /**
   * Names by which it may be reached, without a port. Default: any; `authorize` then has to ask for
   * something that a page of another site can't have.
   */
  readonly hosts?: readonly string[];
  /** What an answer to nobody in particular says besides: `WWW-Authenticate`. Default: nothing. */
  readonly challenge?: string;
  /** Shown on a page of its own: a store of `millrace/outbox`. It stays the caller's to close. */
  readonly outbox?: DashboardOutbox;
  /** Asked for a page of what is wrong and what to do: `() => diagnose({ servers })`. */
  readonly doctor?: DashboardDoctor;
  /**
   * An index of jobs, searched by the page of jobs: what `openJobIndex` made of the client's
   * broker. It stays the caller's to close. Default: only the latest jobs are looked at.
   */
  readonly search?: DashboardSearch;
  /** Address of a Grafana that shows more, for a link beside the plots. */
  readonly grafana?: string;
  /** Where a trace is shown, for a link to a job's: `https://jaeger.example/trace/{traceId}`. */
  readonly traceUrl?: string;
  /** The text of `/metrics` in Prometheus' format. Default: there is no such page. */
  readonly metrics?: () => Promise<string>;
  readonly clock?: Clock;
  /** Told of what should not happen. Default: nobody. */
  readonly onDefect?: (error: unknown) => void;
}

const NAMES = optionNames<DashboardOptions>({
  ...{ millrace: true, authorize: true, basePath: true, title: true, hosts: true, challenge: true },
  ...{ outbox: true, doctor: true, search: true, grafana: true, clock: true, onDefect: true },
  ...{ traceUrl: true, metrics: true },
});

/** Answers requests for the dashboard. */
export interface Dashboard extends AsyncDisposable {
  (request: Request): Promise<Response>;
  /** Ends what it follows and carries out, and every page's feed. */
  close(): Promise<void>;
}

/**
 * The dashboard as one function from a request to its answer, to be mounted under any path of an
 * application. See `docs/dashboard.md`.
 *
 * @throws MillraceError `dashboard-unprotected` without `authorize`; `invalid-option`
 * @example
 * const dashboard = createDashboard({
 *   millrace,
 *   basePath: "/admin/jobs",
 *   authorize: async (request) => {
 *     const user = await sessionOf(request);
 *     return user?.isAdmin ? { name: user.email, role: "operator" } : undefined;
 *   },
 * });
 * app.mount("/admin/jobs", dashboard);
 */
export function createDashboard(options: DashboardOptions): Dashboard {
  requireOptions(options);
  const {
    millrace,
    clock = systemClock,
    title = "",
    challenge,
    hosts,
    outbox,
    doctor,
    search,
    grafana,
    traceUrl,
  } = options;
  const base = basePathOf(options.basePath ?? "/");
  const feed = new LiveFeed(millrace, clock);
  const known = new OnceAMoment(clock, MOMENT_MS);
  const drains = new Drains(millrace, options.onDefect);
  const app = new Hono<DashboardEnv>();

  app.use(async (context, next) => {
    const { headers, method } = context.req.raw;
    const wrongHost = hostRefusal(headers.get("host") ?? new URL(context.req.url).host, hosts);
    if (wrongHost !== undefined) return context.json(denied(wrongHost), 403);
    const user = await options.authorize(context.req.raw);
    if (user === undefined)
      return context.json(denied("Log in first."), 401, {
        ...(challenge === undefined ? {} : { "www-authenticate": challenge }),
      });
    if (method !== "GET" && method !== "HEAD") {
      const refusal = changeRefusal(headers);
      if (refusal !== undefined) return context.json(denied(refusal), 403);
    }
    context.set("user", user);
    return next();
  });
  const show = showValue(false, millrace.mask);
  app.route(
    "/api",
    apiOf({
      ...{ fleet: millrace, show, clock, feed, known, title, outbox, doctor, search, grafana },
      ...{ drains, traceUrl, authorize: options.authorize, onDefect: options.onDefect },
    }),
  );
  if (options.metrics !== undefined) app.get("/metrics", metricsPage(options.metrics));
  app.get("/assets/:name", async (context) => {
    const name = context.req.param("name");
    const asset = (await pageAssets()).find(({ path }) => path === name);
    if (asset === undefined) return context.json(missing(), 404);
    return context.body(asset.body, 200, {
      "content-type": typeOf(asset),
      "cache-control": "private, max-age=31536000, immutable",
    });
  });
  app.get("*", async (context) =>
    context.html(pageHtml(base, await pageAssets()), 200, { "cache-control": "no-store" }),
  );
  app.notFound((context) => context.json(missing(), 404));
  app.onError((error, context) => {
    const { status, body } = failureOf(error, show);
    if (status === 500) options.onDefect?.(error);
    return context.json(body, status);
  });

  const own = ownPathAt(base, app.routes);
  if (own !== undefined) throw isOwnPath(base, own);

  const unlisten = millrace.onStatus(() => known.forget());
  const services = [...servicesOf(options, clock), drains];
  const answer = async (request: Request): Promise<Response> =>
    secured(await app.fetch(below(base, request)));
  const close = async (): Promise<void> => {
    unlisten();
    feed.close();
    await Promise.all(services.map((service) => service.close()));
  };
  return Object.assign(answer, { close, [Symbol.asyncDispose]: close });
}

/** @throws MillraceError `dashboard-unprotected`, `invalid-option` */
function requireOptions(options: DashboardOptions): void {
  refuseUnknown(options, NAMES, "createDashboard()");
  const { millrace, authorize, hosts, metrics, traceUrl } = options;
  if (typeof authorize !== "function")
    throw new MillraceError(
      "dashboard-unprotected",
      "createDashboard needs authorize(request), which says who may look and who may change things.",
    );
  requireMethod(millrace, "millrace", "onStatus");
  if (hosts !== undefined && !Array.isArray(hosts))
    throw new MillraceError("invalid-option", "hosts: must be a list of names.");
  if (metrics !== undefined && typeof metrics !== "function")
    throw new MillraceError("invalid-option", "metrics: must be a function that gives a text.");
  requireTraceUrl(traceUrl);
}

function metricsPage(text: () => Promise<string>) {
  return async (context: Context<DashboardEnv>): Promise<Response> => {
    const refusal = askRefusal(context.req.raw.headers);
    if (refusal !== undefined) return context.json(denied(refusal), 403);
    return context.body(await text(), 200, {
      "content-type": "text/plain; version=0.0.4; charset=utf-8",
    });
  };
}

/** What a dashboard does for its fleet beside its pages. */
function servicesOf(
  { millrace, onDefect }: Pick<DashboardOptions, "millrace" | "onDefect">,
  clock: Clock,
): readonly FleetService[] {
  const told = onDefect === undefined ? {} : { onDefect };
  return [
    new FleetService(() => millrace.operations.serve(told), clock, onDefect),
    new FleetService(() => millrace.samples.serve(told), clock, onDefect),
  ];
}

/** `/admin/jobs/`: with a slash on both ends. */
function basePathOf(path: string): string {
  const base = `/${path}/`.replaceAll(/\/+/g, "/");
  if (/^[\w\-./~%]+$/.test(base) && !base.split("/").includes("..")) return base;
  throw new MillraceError("invalid-option", `basePath: must be a path such as /admin/jobs.`);
}

/**
 * Which path of the dashboard's own begins like this, if any: whether a framework has taken the
 * mount's path off a request can't be told there.
 */
function ownPathAt(base: string, routes: readonly { readonly path: string }[]): string | undefined {
  const place = base.split("/").filter((segment) => segment !== "");
  if (place.length === 0) return undefined;
  const paths = routes.map(({ path }) => path).filter((path) => !path.includes("*"));
  return paths.find((path) => {
    const own = path.split("/").slice(1);
    return place.every((segment, n) => own[n] === segment || own[n]?.startsWith(":"));
  });
}

function isOwnPath(base: string, own: string): MillraceError {
  return new MillraceError(
    "invalid-option",
    `basePath: ${base} is a path of the dashboard's own (${own}). Take another, such as /admin/jobs.`,
  );
}

/** A link that leads nowhere would be found out only by whoever needs it. */
function requireTraceUrl(address: string | undefined): void {
  if (address === undefined) return;
  const example = address.replace("{traceId}", "0");
  if (example !== address && URL.canParse(example) && /^https?:\/\//i.test(address)) return;
  throw new MillraceError(
    "invalid-option",
    "traceUrl: must be an http address with {traceId} in it, such as https://jaeger.example/trace/{traceId}.",
  );
}

/** Frameworks differ in whether they take the mount's path off. */
function below(base: string, request: Request): Request {
  const url = new URL(request.url);
  if (base === "/" || !`${url.pathname}/`.startsWith(base)) return request;
  url.pathname = url.pathname.slice(base.length - 1) || "/";
  return new Request(url, request);
}

function secured(response: Response): Response {
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) headers.set(name, value);
  if (!headers.has("cache-control")) headers.set("cache-control", "no-store");
  return new Response(response.body, { status: response.status, headers });
}

function denied(message: string) {
  return { error: { code: "dashboard-denied", message } };
}

function missing() {
  return { error: { code: "not-found", message: "The dashboard has nothing there." } };
}
