import { MillraceError } from "../errors/millrace-error.ts";
import { mustBe, requireFlag, requireText } from "./option-values.ts";

/** What a part that a program brings along must be able to do, and who makes one. */
const PARTS: Readonly<Record<string, readonly [methods: readonly string[], as: string]>> = {
  log: [["debug", "info", "warn", "error", "child"], "as pino is one"],
  metrics: [["increment", "observe", "gauge"], "as prometheusMetrics() makes one"],
  instrumentation: [["publish", "attempt", "ended", "shutdown"], "as telemetry() makes one"],
  executionLog: [["record", "close"], "as executionRecords() makes one"],
  clock: [["now", "monotonic", "setTimer"], "as systemClock is one"],
  broker: [["enqueue", "close"], "as connectBroker() gives one"],
};
const LISTS = ["jobs", "schedules", "machines", "middleware"];
const OBJECTS = ["queues", "env"];

/**
 * The options of a client or a node that no configuration has. From JavaScript they may be
 * anything, and most would be found out by a `TypeError` far from here, or never.
 *
 * @throws MillraceError `invalid-option`
 */
export function requireParts(options: object): void {
  for (const [field, value] of Object.entries(options) as readonly [string, unknown][]) {
    if (value === undefined) continue;
    const part = PARTS[field];
    if (part !== undefined) requirePart(field, value, ...part);
    if (LISTS.includes(field) && !Array.isArray(value)) throw mustBe(field, "a list", value);
    if (OBJECTS.includes(field) && (typeof value !== "object" || value === null))
      throw mustBe(field, "an object", value);
    if (field === "waitForServer") requireFlag(value as boolean, field);
    if (field === "configFile") requireText(value as string, field);
  }
  const { middleware = [] } = options as { readonly middleware?: readonly unknown[] };
  for (const [at, one] of middleware.entries())
    if (typeof one !== "function") throw mustBe(`middleware[${at}]`, "a function", one);
}

/**
 * The jobs of a node, which nothing stands in for.
 *
 * @throws MillraceError `invalid-option`
 */
export function requireJobList({ jobs }: { readonly jobs: readonly unknown[] }): void {
  if (!Array.isArray(jobs))
    throw mustBe("jobs", "a list of what definition.handler(…) returned", jobs);
}

function requirePart(field: string, value: unknown, methods: readonly string[], as: string): void {
  const has = (value ?? {}) as Readonly<Record<string, unknown>>;
  const missing = methods.filter((method) => typeof has[method] !== "function");
  if (missing.length === 0) return;
  const all = methods.map((method) => `${method}()`);
  const [last] = all.slice(-1);
  const given =
    typeof value === "object" && value !== null
      ? `it has no ${missing[0]}()`
      : `got ${String(value).slice(0, 80)}`;
  throw new MillraceError(
    "invalid-option",
    `${field}: must be an object with ${all.slice(0, -1).join(", ")} and ${last}, ${as}; ${given}.`,
  );
}
