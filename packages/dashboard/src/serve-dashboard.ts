import type { AddressInfo } from "node:net";
import {
  createAdaptorServer,
  type Http2Bindings,
  type HttpBindings,
  type ServerType,
} from "@hono/node-server";
import {
  MillraceError,
  optionNames,
  refuseUnknown,
  requireCount,
  systemClock,
} from "@millrace/core";
import { FailedLogins } from "./access/failed-logins.ts";
import { LOOPBACK_HOSTS } from "./access/request-check.ts";
import { loginOf, type Login } from "./access/login.ts";
import { SECURITY_HEADERS } from "./access/security-headers.ts";
import type { DashboardAccount } from "./access/users.ts";
import { createDashboard, type DashboardOptions } from "./create-dashboard.ts";

/** Where the dashboard listens, and who may log in. */
export interface ServeDashboardOptions extends Pick<
  DashboardOptions,
  | ("millrace" | "title" | "outbox" | "doctor" | "search" | "grafana" | "traceUrl" | "metrics")
  | ("clock" | "onDefect")
> {
  /** Address to listen on. Default: 127.0.0.1. Any other needs `accounts`. */
  readonly host?: string;
  /** 0: any free one. */
  readonly port: number;
  /** Who may log in. Default: whoever is on this machine is an operator and may see payloads. */
  readonly accounts?: readonly DashboardAccount[];
  /**
   * Addresses (`127.0.0.1`) and networks (`10.0.0.0/8`) of the proxies in front of it, which say
   * from which address a request comes (`x-forwarded-for`). Default: none.
   */
  readonly proxies?: readonly string[];
  /**
   * Header in which those proxies name who has logged in to them, such as `X-Forwarded-User`. What
   * they may do stands in `accounts`. Needs `proxies`. Default: nobody is believed.
   */
  readonly userHeader?: string;
  /** What the audit calls somebody who did not have to log in. */
  readonly localName: string;
}

const NAMES = optionNames<ServeDashboardOptions>({
  ...{ millrace: true, title: true, outbox: true, doctor: true, search: true, grafana: true },
  ...{ traceUrl: true, metrics: true, clock: true, onDefect: true },
  ...{ host: true, port: true, accounts: true, localName: true },
  ...{ proxies: true, userHeader: true },
});

/** A dashboard that listens. */
export interface ServedDashboard extends AsyncDisposable {
  /** `http://127.0.0.1:8087/` */
  readonly url: string;
  /** Ends listening. The client stays open. */
  close(): Promise<void>;
}

/**
 * Listens for the dashboard's pages.
 *
 * @throws MillraceError `dashboard-unprotected` where other machines could reach it and nobody has
 *   to log in; `dashboard-port-taken`, `invalid-option`
 */
export async function serveDashboard(options: ServeDashboardOptions): Promise<ServedDashboard> {
  refuseUnknown(options, NAMES, "serveDashboard()");
  requireCount(options.port, "port", 0, 65_535);
  const {
    host = "127.0.0.1",
    port,
    accounts = [],
    localName,
    proxies,
    userHeader,
    ...rest
  } = options;
  const clock = rest.clock ?? systemClock;
  const login = loginOf({ accounts, proxies, userHeader, clock });
  const isLocal = isLoopback(host);
  if (!isLocal && accounts.length === 0)
    throw new MillraceError(
      "dashboard-unprotected",
      `The dashboard would listen on ${host}, where other machines reach it, and nobody would have to log in. Set MILLRACE_UI_USERS (name:operator:password), or listen on 127.0.0.1.`,
    );
  if ((proxies ?? []).length > 0 && accounts.length === 0)
    throw new MillraceError(
      "dashboard-unprotected",
      "A proxy would bring requests of other machines to the dashboard, and nobody would have to log in. Set MILLRACE_UI_USERS (name:operator:password), or name no proxies.",
    );
  const dashboard = createDashboard({
    ...rest,
    ...(accounts.length === 0
      ? { authorize: () => ({ name: localName, role: "operator", payloads: true }) as const }
      : { authorize: login.authorize }),
    ...(login.takesPasswords ? { challenge: 'Basic realm="Millrace", charset="UTF-8"' } : {}),
    ...(isLocal ? { hosts: [...LOOPBACK_HOSTS, host] } : {}),
  });
  const answer =
    accounts.length === 0 ? dashboard : guarded(dashboard, login, new FailedLogins(clock));
  const server = createAdaptorServer({ fetch: answer, overrideGlobalObjects: false });
  try {
    await listening(server, port, host);
  } catch (cause) {
    await dashboard.close();
    throw portTaken(port, host, cause);
  }
  const { port: taken } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    await dashboard.close();
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      if ("closeAllConnections" in server) server.closeAllConnections();
    });
  };
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${taken}/`,
    close,
    [Symbol.asyncDispose]: close,
  };
}

/**
 * Passwords can't be tried out. A wrong one counts before anything is waited for: further requests
 * come in one piece with it.
 */
function guarded(
  dashboard: (request: Request) => Promise<Response>,
  login: Login,
  logins: FailedLogins,
): (request: Request, env: HttpBindings | Http2Bindings) => Promise<Response> | Response {
  return (request, { incoming }) => {
    // Whom a proxy let in needs no password of ours, and what else it sends along is none.
    if (login.isNamed(request, incoming)) return dashboard(request);
    const address = login.addressOf(incoming);
    const lockedMs = logins.lockedMs(address);
    if (lockedMs > 0) return tooManyLogins(lockedMs);
    if (request.headers.has("authorization") && login.authorize(request) === undefined)
      logins.add(address);
    return dashboard(request);
  };
}

function tooManyLogins(lockedMs: number): Response {
  const seconds = Math.ceil(lockedMs / 1_000);
  const message = `Too many wrong passwords from this address. Try again in ${seconds} s.`;
  return Response.json(
    { error: { code: "dashboard-denied", message } },
    { status: 429, headers: { ...SECURITY_HEADERS, "retry-after": String(seconds) } },
  );
}

/** Whether only programs of this machine can connect. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

function listening(server: ServerType, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function portTaken(port: number, host: string, cause: unknown): MillraceError {
  const why = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
  return new MillraceError(
    "dashboard-port-taken",
    `Port ${port} on ${host} can't be used for the dashboard (${why}). Choose another with --ui-port, or 0 for any.`,
    { cause },
  );
}
