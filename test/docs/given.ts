import { resolve } from "node:path";
import * as millrace from "millrace";

const ROOT = resolve(import.meta.dirname, "../..");

/** Names and the types that a snippet may take them to have. */
type Given = Readonly<Record<string, string>>;

const from = (module: string, ...names: readonly string[]): Given =>
  Object.fromEntries(names.map((name) => [name, `typeof import("${module}").${name}`]));
const inRepository = (file: string, ...names: readonly string[]): Given =>
  from(`${ROOT}/${file}`, ...names);
const job = (input: string, output = "unknown"): string =>
  `import("millrace").JobDefinition<${input}, ${input}, ${output}>`;

/** A page says once that its names come from "millrace", and that `connect()` made `millrace`. */
const EVERYWHERE: Given = {
  ...from("millrace", ...Object.keys(millrace)),
  millrace: 'import("millrace").Millrace',
};

const ORDER = "{ id: string; order: string; cents: number }";
const STEPS = 'import("millrace").Steps';
const HANDLE = 'import("millrace").JobHandle<unknown>';
const FASTIFY = 'import("fastify").FastifyInstance';
const DRIZZLE = 'import("drizzle-orm/node-postgres").NodePgDatabase';
const TABLE = 'import("drizzle-orm/pg-core").PgTable';
const JOBS = 'readonly import("millrace").Job[]';

/** What each page has said in words or in a snippet before. */
const BY_PAGE: Readonly<Record<string, Given>> = {
  "CONTRIBUTING.md": {
    ...inRepository("test/harness/servers.ts", "describeEachServer"),
    ...inRepository("test/harness/proxy.ts", "startProxy"),
    ...inRepository("test/harness/nats-frames.ts", "isPubAck"),
    ...inRepository("test/harness/child.ts", "startChild"),
    ...inRepository("test/harness/deadline.ts", "eventually"),
    ...from("node:path", "join"),
    it: "(name: string, test: () => Promise<void>) => void",
    done: "() => boolean",
  },
  "docs/cancel.md": { report: job("{ month: string }") },
  "docs/dashboard.md": {
    sessionOf:
      "(request: Request) => Promise<{ email: string; isAdmin: boolean; maySeePayloads: boolean } | undefined>",
    app: FASTIFY,
    listener: 'ReturnType<typeof import("@hono/node-server").getRequestListener>',
  },
  "docs/delays.md": { remind: job("{ to: string }") },
  "docs/durable-steps.md": {
    ...inRepository("examples/steps/approved-order.ts", "order", "approval"),
    step: STEPS,
    bill: job("unknown", "{ invoice: string }"),
    pack: job("unknown", "{ parcel: string }"),
    cents: "number",
    payments: "{ charge(cents: number, options: { idempotencyKey: string }): Promise<void> }",
    check: "(input: unknown) => Promise<void>",
    charge: "(input: unknown, key: string) => Promise<void>",
    people: "readonly { id: string }[]",
    lookUp: "(id: string) => Promise<string>",
    pay: "(account: string, key: string) => Promise<void>",
  },
  "docs/errors.md": { isAddress: "(text: string) => boolean", welcome: job("{ to: string }") },
  "docs/events.md": {
    saved: "number",
    tellSupport: "(id: string, message: string | undefined) => Promise<void>",
    savePosition: "(position: number) => Promise<void>",
  },
  "docs/fleet.md": {
    signal: "AbortSignal",
    page: '(id: string, error: import("millrace").RecordedError | undefined) => void',
  },
  "docs/flow.md": {
    images: "readonly string[]",
    thumbnail: job("{ image: string }"),
    published: job('import("@millrace/core").BatchEnded<{ album: string }>'),
    url: "string",
    fetchPage: job("{ url: string }", "{ html: string }"),
    extract: job("{ html: string }", "{ text: string }"),
    store: job("{ text: string }", "string"),
  },
  "docs/frameworks.md": {
    show: "(value: number) => void",
    finish: "(state: string) => void",
    EventSource: `new (url: string) => {
      addEventListener(name: string, heard: (event: { readonly data: string }) => void): void; close(): void }`,
  },
  "docs/idempotency.md": { charge: job(ORDER), input: ORDER },
  "docs/jobs.md": {
    ...inRepository("examples/guides/invoice.ts", "makeInvoice"),
    invoice: job(ORDER),
    items: `readonly { input: ${ORDER}; id: string }[]`,
  },
  "docs/locks.md": {
    addUp: "(options: { signal: AbortSignal }) => Promise<number>",
    db: 'import("pg").Pool',
  },
  "docs/logs.md": { charge: job("{ order: string }"), handle: HANDLE },
  "docs/machines.md": {
    ...inRepository("examples/machines/order.ts", "order", "orderJobs"),
    ...inRepository("examples/machines/order-chart.ts", "orderChart"),
    ...from("xstate", "setup", "sendTo"),
    shop: `import("${ROOT}/examples/machines/order.ts").Shop`,
    stock: 'import("millrace").MachineDefinition<any>',
    show: "(value: unknown) => void",
  },
  "docs/migrating.md": {
    shop: `import("${ROOT}/examples/steps/approved-order.ts").Shop &
      import("${ROOT}/examples/machines/order.ts").Shop`,
    page: "string",
  },
  "docs/metrics.md": { servers: "readonly string[]" },
  "docs/monorepo.md": { print: "(input: { order: string; cents: number }) => Promise<string>" },
  "docs/outbox.md": {
    ...from("drizzle-orm", "sql"),
    ...from("millrace/outbox", "createOutbox", "drizzleTransaction"),
    db: DRIZZLE,
    tx: DRIZZLE,
    orders: TABLE,
    charges: TABLE,
    order: ORDER,
    outbox: `ReturnType<typeof import("millrace/outbox").createOutbox<${DRIZZLE}>>`,
    chargeOrder: job("{ id: string; cents: number }"),
    sendReceipt: job("{ order: string }"),
    pages: "readonly number[]",
    render: job("{ page: number }"),
    bind: job('import("@millrace/core").BatchEnded<{ book: string }>'),
    book: "{ id: string }",
    payments:
      "{ charge(what: { cents: number }, options: { idempotencyKey: string }): Promise<{ id: string }> }",
    shop: `import("millrace").TransactionalDatabase<${DRIZZLE}, any>`,
  },
  "docs/priorities.md": { welcome: "any", send: "any" },
  "docs/producers.md": {
    welcome: job("{ to: string }"),
    input: "{ to: string }",
    request: "Request",
    app: FASTIFY,
  },
  "docs/progress.md": {
    importRows: job("{ chunks: readonly string[][] }"),
    write: "(chunk: readonly string[]) => Promise<void>",
    handle: HANDLE,
    bar: "{ show(value: number, note: string | undefined): void }",
  },
  "docs/retries.md": { charge: job(ORDER), input: ORDER, later: "() => Promise<void>" },
  "docs/testing.md": inRepository("examples/steps/approved-order.ts", "order"),
  "docs/tracing.md": { servers: "readonly string[]", jobs: JOBS },
  "docs/unique.md": {
    album: job("{ id: string; images: readonly string[] }"),
    cover: job("{ album: string }"),
    thumbnail: job("{ image: string }"),
  },
  "docs/workers.md": {
    ...inRepository("examples/guides/with-fastify.ts", "invoiceServer"),
    jobs: JOBS,
  },
  "packages/outbox/README.md": {
    client: 'import("pg").PoolClient',
    chargeOrder: job("{ orderId: number }"),
  },
  "packages/runtime/README.md": { broker: 'import("@millrace/core").Broker', jobs: JOBS },
};

/** What stands before a page's snippets. */
export function givenOn(page: string): Given {
  return { ...EVERYWHERE, ...BY_PAGE[page] };
}

const exported = (file: string, ...names: readonly string[]): string =>
  Object.entries(inRepository(file, ...names))
    .map(([name, type]) => `export declare const ${name}: ${type};`)
    .join("\n");

/** Files that a snippet imports and the repository has nowhere. */
export const FILES: Given = {
  "approved-order.ts": exported("examples/steps/approved-order.ts", "approval", "order", "orderIn"),
  "order.ts": exported("examples/machines/order.ts", "order", "orderJobs"),
  "shop.ts": `import { orderJobs } from "./order.ts";
    export declare const shop: Parameters<typeof orderJobs>[0];`,
  "report.ts": exported("examples/report/report.ts", "nightly", "reportFrom"),
  "books.ts": `import { reportFrom } from "./report.ts";
    export declare const books: Parameters<typeof reportFrom>[0];`,
  "invoice.ts": `import { defineJob } from "millrace";
    export const makeInvoice = defineJob<{ order: string; cents: number },
      { order: string; cents: number }, { file: string }>({ name: "invoice" });`,
};
