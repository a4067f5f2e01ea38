import type { Clock } from "@millrace/core";
import type { ShowValue } from "@millrace/telemetry/masking";
import type { Context } from "hono";
import type { Authorize, DashboardEnv } from "../access/user.ts";
import type { DashboardDoctor } from "../fleet/doctor.ts";
import type { Drains } from "../fleet/drains.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { OnceAMoment } from "../fleet/once-a-moment.ts";
import type { DashboardOutbox } from "../fleet/outbox.ts";
import type { DashboardSearch } from "../fleet/search.ts";
import type { LiveFeed } from "../live/live-feed.ts";

export interface ApiHost {
  readonly fleet: Fleet;
  /** Asked again of what goes on for longer than a request. */
  readonly authorize: Authorize;
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
  readonly onDefect: ((error: unknown) => void) | undefined;
}

export type ApiContext = Context<DashboardEnv>;

export function param(context: ApiContext, name: string): string {
  return context.req.param(name) ?? "";
}
