import { describe, expect, test } from "vitest";
import type { Attributes, RecordedSpan } from "./recorded-span.ts";
import { checkTraces } from "./trace-shape.ts";

const TRACE = "a".repeat(32);
const OTHER_TRACE = "b".repeat(32);
const SERVER = "1".repeat(16);
const PUBLISH = "2".repeat(16);
const FIRST = "3".repeat(16);
const SECOND = "4".repeat(16);
const QUEUED = "5".repeat(16);

function span(spanId: string, over: Partial<RecordedSpan>): RecordedSpan {
  return {
    traceId: TRACE,
    spanId,
    parentSpanId: undefined,
    name: "GET /",
    kind: "INTERNAL",
    startedAtMs: 1_000,
    endedAtMs: 1_010,
    status: "UNSET",
    statusMessage: undefined,
    attributes: {},
    events: [],
    links: [],
    resource: { "service.name": "shop", "host.name": "here" },
    scope: "shop",
    ...over,
  };
}

const operation = (name: string, type: string): Attributes => ({
  "messaging.system": "nats",
  "messaging.operation.name": name,
  "messaging.operation.type": type,
  "messaging.destination.name": "orders",
  "messaging.message.id": "job-1",
  "job.id": "job-1",
  "job.name": "order.charge",
  "job.queue": "orders",
});

function attempt(spanId: string, number: number, over: Partial<RecordedSpan>): RecordedSpan {
  return span(spanId, {
    parentSpanId: PUBLISH,
    scope: "millrace",
    name: `process order.charge${number > 1 ? ` (attempt ${number})` : ""}`,
    kind: "CONSUMER",
    startedAtMs: 1_000 + number * 100,
    endedAtMs: 1_050 + number * 100,
    ...over,
    attributes: {
      ...operation("process", "process"),
      "job.attempt": number,
      "job.max_attempts": 3,
      "job.queue_wait_ms": 4,
      "job.outcome": "succeeded",
      "job.node": "node-a",
      "messaging.client.id": "node-a",
      "messaging.consumer.group.name": "workers",
      ...over.attributes,
    },
  });
}

const failure: Partial<RecordedSpan> = {
  status: "ERROR",
  statusMessage: "the bank is closed",
  events: [{ name: "exception", atMs: 1_140, attributes: {} }],
  attributes: { "job.outcome": "failed", "error.type": "BankError" },
};

const server = span(SERVER, { name: "POST /orders", kind: "SERVER" });
const publish = span(PUBLISH, {
  parentSpanId: SERVER,
  scope: "millrace",
  name: "publish orders",
  kind: "PRODUCER",
  attributes: operation("publish", "send"),
});
const failed = attempt(FIRST, 1, failure);
const succeeded = attempt(SECOND, 2, { links: [{ traceId: TRACE, spanId: FIRST }] });
/** What the second attempt waited for a worker. */
const queued = span(QUEUED, {
  parentSpanId: PUBLISH,
  scope: "millrace",
  name: "queued order.charge (attempt 2)",
  kind: "INTERNAL",
  startedAtMs: 1_160,
  endedAtMs: 1_200,
  attributes: {
    ...{ "job.id": "job-1", "job.name": "order.charge", "job.queue": "orders" },
    ...{ "job.attempt": 2, "job.queue_wait_ms": 40, "job.node": "node-a" },
  },
});
/** A request that enqueues, an attempt that fails, and one that waits and succeeds. */
const GOOD = [server, publish, failed, queued, succeeded];

/** The good trace with one span replaced. */
const withSpan = (changed: RecordedSpan): RecordedSpan[] =>
  GOOD.map((one) => (one.spanId === changed.spanId ? changed : one));

const without = (attributes: Attributes, name: string): Attributes =>
  Object.fromEntries(Object.entries(attributes).filter(([key]) => key !== name));

test("a sound trace has no faults, in whatever order its spans came", () => {
  expect(checkTraces(GOOD)).toEqual([]);
  expect(checkTraces(GOOD.toReversed())).toEqual([]);
});

describe("a broken trace is told", () => {
  const cases: readonly [what: string, spans: readonly RecordedSpan[], fault: RegExp][] = [
    ["nothing came", [], /no spans at all/],
    ["the publish was lost", [server, failed, succeeded], /its parent 2{16} is missing/],
    ["a span came twice", [...GOOD, failed], /came twice/],
    [
      "a second root",
      withSpan({ ...publish, parentSpanId: undefined }),
      /2 roots \(POST \/orders, publish orders\)/,
    ],
    [
      "a parent in another trace",
      withSpan({ ...failed, traceId: OTHER_TRACE }),
      /its parent 2{16} is missing/,
    ],
    [
      "attempts of one job in two traces",
      withSpan({ ...failed, traceId: OTHER_TRACE }),
      /2 traces/,
    ],
    ["a cycle", withSpan({ ...server, parentSpanId: FIRST }), /is in a cycle/],
    [
      "began before its parent",
      withSpan({ ...failed, startedAtMs: 900 }),
      /began before its parent/,
    ],
    ["ended before it began", withSpan({ ...failed, endedAtMs: 1_000 }), /ended before it began/],
    ["an id of another form", withSpan({ ...server, traceId: "xyz" }), /trace id "xyz"/],
    ["a first attempt is missing", [server, publish, succeeded], /attempt 2 where 1 was due/],
    [
      "attempts in the wrong order",
      withSpan({ ...succeeded, startedAtMs: 1_020, endedAtMs: 1_030 }),
      /attempt 2 where 1 was due/,
    ],
    [
      "an attempt counted twice",
      withSpan(attempt(SECOND, 1, { startedAtMs: 1_200, endedAtMs: 1_250 })),
      /attempt 1 where 2 was due/,
    ],
    [
      "a second attempt that is called as the first",
      withSpan({ ...succeeded, name: "process order.charge" }),
      /is attempt 2, and would be called process order.charge \(attempt 2\)/,
    ],
    [
      "a wait of another length than it says",
      withSpan({ ...queued, startedAtMs: 1_100 }),
      /lasts 100 ms and says 40/,
    ],
    [
      "a wait by the name of another attempt",
      withSpan({ ...queued, name: "queued order.charge" }),
      /would be called queued order.charge \(attempt 2\)/,
    ],
    [
      "a wait that tells of no job",
      withSpan({ ...queued, attributes: without(queued.attributes, "job.id") }),
      /lacks job.id/,
    ],
    [
      "no link between attempts",
      withSpan({ ...succeeded, links: [] }),
      /no link to the one before/,
    ],
    [
      "a link and a parent to one span",
      withSpan({ ...failed, links: [{ traceId: TRACE, spanId: PUBLISH }] }),
      /a parent that it links to as well/,
    ],
    [
      "an attempt under no producer",
      withSpan({ ...failed, parentSpanId: SERVER }),
      /created by SERVER POST \/orders/,
    ],
    [
      "attempts under two creations",
      withSpan({ ...failed, parentSpanId: SERVER }),
      /2 creations that know nothing of each other/,
    ],
    [
      "a failed attempt that is not red",
      withSpan({ ...failed, status: "UNSET" }),
      /failed and not red/,
    ],
    [
      "an interruption that is red",
      withSpan(
        attempt(FIRST, 1, {
          ...failure,
          attributes: { ...failure.attributes, "job.outcome": "interrupted" },
        }),
      ),
      /interrupted and red/,
    ],
    [
      "red without an error.type",
      withSpan({ ...failed, attributes: without(failed.attributes, "error.type") }),
      /status ERROR without error.type/,
    ],
    [
      "an error.type for each error",
      withSpan(
        attempt(FIRST, 1, {
          ...failure,
          attributes: { ...failure.attributes, "error.type": "no order 4711" },
        }),
      ),
      /is no name/,
    ],
    ["red without an exception", withSpan({ ...failed, events: [] }), /without an exception event/],
    [
      "red without a word",
      withSpan({ ...failed, statusMessage: undefined }),
      /without a description/,
    ],
    [
      "error.type and not red",
      withSpan(attempt(SECOND, 2, { links: succeeded.links, attributes: { "error.type": "X" } })),
      /error.type without status ERROR/,
    ],
    [
      "an attempt that lost its job's id",
      withSpan({ ...failed, attributes: without(failed.attributes, "job.id") }),
      /lacks job.id/,
    ],
    [
      "a publish without a destination",
      withSpan({
        ...publish,
        attributes: without(publish.attributes, "messaging.destination.name"),
      }),
      /lacks messaging.destination.name/,
    ],
    ["the wrong kind", withSpan({ ...failed, kind: "INTERNAL" }), /kind INTERNAL, not CONSUMER/],
    [
      "the wrong operation",
      withSpan({ ...publish, attributes: operation("publish", "publish") }),
      /operation.type is "publish", not "send"/,
    ],
    [
      "a job's id in a name",
      withSpan({ ...publish, name: "publish orders.job-1" }),
      /the job's id is in its name/,
    ],
    ["a span for housekeeping", withSpan({ ...publish, name: "poll orders" }), /housekeeping/],
    [
      "more attempts than there may be",
      withSpan(
        attempt(SECOND, 2, { links: succeeded.links, attributes: { "job.max_attempts": 1 } }),
      ),
      /attempt 2 of 1/,
    ],
    [
      "a service without a name",
      withSpan({
        ...server,
        resource: { "host.name": "h", "service.name": "unknown_service:node" },
      }),
      /service.name is "unknown_service:node"/,
    ],
    [
      "an end without an attempt that is not red",
      [...GOOD, settle({ "job.outcome": "expired" }, "UNSET")],
      /expired and not red/,
    ],
    ["no host", withSpan({ ...server, resource: { "service.name": "shop" } }), /no host.name/],
    [
      "a bulk that links to too few",
      [...GOOD, bulk("5".repeat(16), 3, [PUBLISH])],
      /publishes 3 jobs and links to 1/,
    ],
  ];
  test.each(cases)("%s", (_what, spans, fault) => {
    expect(checkTraces(spans).join("\n")).toMatch(fault);
  });
});

function bulk(spanId: string, count: number, links: readonly string[]): RecordedSpan {
  return span(spanId, {
    parentSpanId: SERVER,
    scope: "millrace",
    name: "publish orders",
    kind: "CLIENT",
    attributes: {
      ...without(without(operation("publish", "send"), "job.id"), "messaging.message.id"),
      "messaging.batch.message_count": count,
    },
    links: links.map((id) => ({ traceId: TRACE, spanId: id })),
  });
}

function settle(attributes: Attributes, status: "UNSET" | "ERROR"): RecordedSpan {
  return span("8".repeat(16), {
    parentSpanId: PUBLISH,
    scope: "millrace",
    name: "settle orders",
    kind: "CLIENT",
    status,
    attributes: { ...operation("settle", "settle"), ...attributes },
  });
}

describe("what is sound though it looks odd", () => {
  test("a snoozed attempt is made again under its number", () => {
    const again = attempt(SECOND, 1, { startedAtMs: 1_200, endedAtMs: 1_250 });
    const snoozed = attempt(FIRST, 1, { attributes: { "job.outcome": "snoozed" } });
    expect(checkTraces([server, publish, snoozed, again])).toEqual([]);
  });

  test("a job without a context begins a trace, and its later attempts hang in it", () => {
    const first = attempt(FIRST, 1, { ...failure, parentSpanId: undefined });
    expect(checkTraces([first, { ...succeeded, parentSpanId: FIRST, links: [] }])).toEqual([]);
    expect(checkTraces([first, { ...succeeded, parentSpanId: undefined }])).toEqual([
      expect.stringMatching(/2 roots/),
    ]);
  });

  test("a producer of another language that claims a context nobody recorded", () => {
    expect(checkTraces([failed, succeeded], { foreign: [PUBLISH] })).toEqual([]);
    expect(checkTraces([failed, succeeded]).join()).toMatch(/is missing/);
  });

  test("a job that was cancelled before it ran: a span of its end, and no attempt", () => {
    const end = settle({ "job.outcome": "cancelled" }, "UNSET");
    expect(checkTraces([server, publish, end])).toEqual([]);
  });

  test("jobs of a bulk whose create spans are turned off", () => {
    const all = { ...bulk(PUBLISH, 1, []), kind: "PRODUCER" as const };
    expect(checkTraces([server, all, failed, succeeded])).toEqual([]);
  });

  test("a replay counts from 1 again, under a creation that links to the first", () => {
    const replay = span("6".repeat(16), {
      ...publish,
      spanId: "6".repeat(16),
      parentSpanId: undefined,
      traceId: OTHER_TRACE,
      startedAtMs: 2_000,
      endedAtMs: 2_005,
      links: [{ traceId: TRACE, spanId: PUBLISH }],
    });
    const replayed = attempt("7".repeat(16), 1, {
      traceId: OTHER_TRACE,
      parentSpanId: replay.spanId,
      startedAtMs: 2_010,
      endedAtMs: 2_020,
    });
    expect(checkTraces([server, publish, failed, replay, replayed])).toEqual([]);
    expect(checkTraces([server, publish, failed, { ...replay, links: [] }, replayed])).toEqual([
      expect.stringMatching(/know nothing of each other/),
    ]);
  });
});

describe("propagation: link", () => {
  const link = { traceId: TRACE, spanId: PUBLISH };
  const linked = attempt(FIRST, 1, {
    traceId: OTHER_TRACE,
    parentSpanId: undefined,
    links: [link],
  });

  test("an attempt is a trace of its own that links to its creation", () => {
    expect(checkTraces([server, publish, linked], { propagation: "link" })).toEqual([]);
  });

  test("an attempt in its creation's trace is told", () => {
    const both = { ...linked, traceId: TRACE, parentSpanId: SERVER };
    expect(checkTraces([server, publish, both], { propagation: "link" }).join("\n")).toMatch(
      /in its trace all the same/,
    );
  });
});
