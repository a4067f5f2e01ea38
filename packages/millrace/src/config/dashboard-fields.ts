import { field } from "./field.ts";
import { file, keptFor, list, text, whole, traceAddress, webAddress } from "./field-kinds.ts";

/** What people look at. */
export const DASHBOARD_FIELDS = {
  /**
   * Address the dashboard listens on. Any but this machine's own needs `uiUsers`. Default:
   * `127.0.0.1`.
   */
  uiHost: field({
    group: "dashboard",
    kind: text,
    flag: "ui-host",
    env: ["MILLRACE_UI_HOST"],
    default: "127.0.0.1",
    about: "Address the dashboard listens on. Any but this machine's own needs `uiUsers`.",
  }),
  /** Port of the dashboard. 0: a free one. Default: `8087`. */
  uiPort: field({
    group: "dashboard",
    kind: whole(0, 65_535),
    flag: "ui-port",
    env: ["MILLRACE_UI_PORT"],
    default: 8087,
    about: "Port of the dashboard. 0: a free one.",
  }),
  /**
   * Who may log in to the dashboard: `name:operator:password` or `name:viewer:password`, with
   * commas between them. `+payloads` after the role lets them see what is masked.
   */
  uiUsers: field({
    group: "dashboard",
    kind: text,
    env: ["MILLRACE_UI_USERS"],
    secret: true,
    about:
      "Who may log in to the dashboard: `name:operator:password` or `name:viewer:password`, with commas between them. `+payloads` after the role lets them see what is masked.",
  }),
  /** File with the same, one a line, instead of `uiUsers`: a mounted secret. */
  uiUsersFile: field({
    group: "dashboard",
    kind: file,
    flag: "ui-users-file",
    env: ["MILLRACE_UI_USERS_FILE"],
    about: "File with the same, one a line, instead of `uiUsers`: a mounted secret.",
  }),
  /**
   * Addresses (`10.0.0.7`) and networks of proxies in front of the dashboard. They say from which
   * address a request comes (`x-forwarded-for`).
   */
  uiProxies: field({
    group: "dashboard",
    kind: list,
    flag: "ui-proxies",
    env: ["MILLRACE_UI_PROXIES"],
    about:
      "Addresses (`10.0.0.7`) and networks of proxies in front of the dashboard. They say from which address a request comes (`x-forwarded-for`).",
  }),
  /**
   * Header in which those proxies name who has logged in to them: `X-Forwarded-User`. Whom they
   * name needs no password in `uiUsers`: `ada:operator`, or `*:viewer` for everybody else.
   */
  uiUserHeader: field({
    group: "dashboard",
    kind: text,
    flag: "ui-user-header",
    env: ["MILLRACE_UI_USER_HEADER"],
    about:
      "Header in which those proxies name who has logged in to them: `X-Forwarded-User`. Whom they name needs no password in `uiUsers`: `ada:operator`, or `*:viewer` for everybody else.",
  }),
  /** Address of a Grafana that shows more than the dashboard's plots: a link beside them. */
  grafanaUrl: field({
    group: "dashboard",
    kind: webAddress,
    flag: "grafana-url",
    env: ["MILLRACE_GRAFANA_URL"],
    secret: "url",
    about: "Address of a Grafana that shows more than the dashboard's plots: a link beside them.",
  }),
  /** SQLite database file for an index of jobs, for searching. */
  jobIndex: field({
    group: "index",
    kind: file,
    flag: "job-index",
    env: ["MILLRACE_JOB_INDEX"],
    about: "SQLite database file for an index of jobs, for searching.",
  }),
  /** URL of a PostgreSQL database for an index of jobs, instead of a file. Needs the package pg. */
  jobIndexPostgres: field({
    group: "index",
    kind: text,
    env: ["MILLRACE_JOB_INDEX_POSTGRES"],
    secret: true,
    about:
      "URL of a PostgreSQL database for an index of jobs, instead of a file. Needs the package pg.",
  }),
  /** Jobs that have not changed for longer leave the index. Default: `7d`. */
  jobIndexKeepMs: field({
    group: "index",
    kind: keptFor,
    flag: "job-index-keep",
    env: ["MILLRACE_JOB_INDEX_KEEP"],
    default: 7 * 86_400_000,
    about: "Jobs that have not changed for longer leave the index.",
  }),
  /** MiB that the index may take; the oldest jobs leave it first. Default: `1024`. */
  jobIndexMaxMb: field({
    group: "index",
    kind: whole(1, 1_000_000),
    flag: "job-index-max-mb",
    env: ["MILLRACE_JOB_INDEX_MAX_MB"],
    default: 1024,
    about: "MiB that the index may take; the oldest jobs leave it first.",
  }),
  /**
   * Address of a trace's page, with `{traceId}` in it: `http://jaeger:16686/trace/{traceId}`. Shown
   * beside a job's trace.
   */
  traceUrl: field({
    group: "tracing",
    kind: traceAddress,
    flag: "trace-url",
    env: ["MILLRACE_TRACE_URL"],
    secret: "url",
    about:
      "Address of a trace's page, with {traceId} in it: http://jaeger:16686/trace/{traceId}. Shown beside a job's trace.",
  }),
} as const;
