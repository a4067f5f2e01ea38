import {
  type BatchEnded,
  cancel,
  defineJob,
  fatal,
  type Instrumentation,
  planJob,
  readEnvelope,
  retryAfter,
  snooze,
} from "@millrace/core";
import { expect, test } from "vitest";
import type { Row, Transaction } from "../database/transaction.ts";
import { createOutbox } from "./outbox.ts";

const mail = defineJob<{ to: string }>({ name: "mail.send", queue: "mail" });
const report = defineJob<BatchEnded<null>>({ name: "report", queue: "reports" });

interface Statement {
  readonly sql: string;
  readonly parameters: readonly string[];
}

/** A transaction that only notes what it was asked to run. */
function noted(rows: readonly Row[] = []): { tx: Transaction; statements: Statement[] } {
  const statements: Statement[] = [];
  const run: Transaction["run"] = async (sql, parameters) => {
    statements.push({ sql, parameters });
    return rows;
  };
  return { tx: { run }, statements };
}

const headersIn = ({ parameters }: Statement): unknown =>
  (JSON.parse(parameters[0] ?? "[]") as { headers: string }[]).map(
    ({ headers }) => JSON.parse(headers) as unknown,
  );

/** Adds a trace to every job that is enqueued. */
const tracing: Instrumentation = {
  publish: ({ envelopes }, send) =>
    send(
      envelopes.map((envelope) => ({
        ...envelope,
        headers: { ...envelope.headers, traceparent: "00-trace" },
      })),
    ),
  attempt: () => undefined,
  ended: () => {},
  shutdown: () => Promise.resolve(),
};

test("the trace that is under way goes with the job", async () => {
  const { tx, statements } = noted();
  const outbox = createOutbox((one: Transaction) => one, { instrumentation: tracing });
  await outbox(tx).enqueue(mail, { to: "ada" }, { headers: { "x-shop": "7" } });
  expect(statements.map(headersIn)).toEqual([[{ "x-shop": "7", traceparent: "00-trace" }]]);
});

test("many jobs are one statement, and none is none", async () => {
  const { tx, statements } = noted();
  const outbox = createOutbox((one: Transaction) => one);
  const ids = ["a", "b", "c"];
  const items = ids.map((id) => ({ id, input: { to: id } }));
  expect(await outbox(tx).enqueueMany(mail, items)).toEqual(
    ids.map((id) => ({ id, queue: "mail" })),
  );
  expect(await outbox(tx).enqueueMany(mail, [])).toEqual([]);
  expect(statements).toHaveLength(1);
});

test("where one of many can't be made, nothing is written", async () => {
  const { tx, statements } = noted();
  const outbox = createOutbox((one: Transaction) => one);
  const items = [{ input: { to: "a" } }, { id: "a b", input: { to: "b" } }];
  await expect(outbox(tx).enqueueMany(mail, items)).rejects.toMatchObject({ code: "invalid-name" });
  expect(statements).toEqual([]);
});

test("every statement has each placeholder once and in order, as libraries without numbers ask", async () => {
  const { tx, statements } = noted([{ first: 1 }]);
  const outbox = createOutbox((one: Transaction) => one);
  await outbox(tx).enqueue(mail, { to: "a" });
  const job = { id: "a", queue: "mail", createdAt: 1 } as never;
  const run = { job, signal: new AbortController().signal };
  await outbox.database((act) => act(tx)).once(run, async () => 1);
  for (const { sql, parameters } of statements)
    expect(sql.match(/\$\d+/g)).toEqual(parameters.map((_, index) => `$${index + 1}`));
  expect(statements).toHaveLength(3);
});

test.each(["before it begins", "while it works"])(
  "a run that is told to stop %s does not end its transaction well",
  async (when) => {
    const { tx, statements } = noted([{ first: 1 }]);
    const outbox = createOutbox((one: Transaction) => one);
    const abort = new AbortController();
    const reason = new Error("the lease was lost");
    const job = { id: "a", queue: "mail", createdAt: 1 } as never;
    if (when === "before it begins") abort.abort(reason);
    const database = outbox.database((act) => act(tx));
    const running = database.once({ job, signal: abort.signal }, async () => abort.abort(reason));
    await expect(running).rejects.toBe(reason);
    expect(statements).toHaveLength(when === "before it begins" ? 0 : 2);
  },
);

test.each([snooze("1s"), retryAfter("1s"), cancel("sold out"), fatal("broken")])(
  "a run that asks for %s keeps no record: it is thrown",
  async (wish) => {
    const { tx, statements } = noted([{ first: 1 }]);
    const outbox = createOutbox((one: Transaction) => one);
    const job = { id: "a", queue: "mail", createdAt: 1 } as never;
    const context = { job, signal: new AbortController().signal };
    const database = outbox.database((act) => act(tx));
    await expect(database.once(context, async () => wish)).rejects.toBe(wish);
    expect(statements).toHaveLength(1);
  },
);

test("a batch that is larger than a relay can read is refused, and nothing is written", async () => {
  const { tx, statements } = noted();
  const outbox = createOutbox((one: Transaction) => one);
  const to = "x".repeat(1_000_000);
  const jobs = Array.from({ length: 68 }, () => planJob(mail, { to }));
  await expect(
    outbox(tx).batch(jobs, { id: "b", callback: { job: report, input: null } }),
  ).rejects.toMatchObject({
    ...{ code: "payload-too-large", message: expect.stringContaining("The batch b takes 68") },
  });
  expect(statements).toEqual([]);
});

test("each call sends the input as it is at the call, beside the key that was made of it", async () => {
  const { tx, statements } = noted();
  const outbox = createOutbox((own: Transaction) => own)(tx);
  const unique = defineJob<{ n: number }>({
    ...{ name: "unique", queue: "q", unique: { key: ({ n }) => `k${n}` } },
  });
  const input = { n: 0 };
  const calls: Promise<unknown>[] = [];
  input.n = 1;
  calls.push(outbox.enqueue(unique, input));
  input.n = 2;
  calls.push(outbox.enqueueMany(unique, [{ input }]));
  input.n = 3;
  calls.push(outbox.chain(unique, input).enqueue());
  input.n = 99;
  await Promise.all(calls);
  const sent = statements.map(({ parameters: [rows = "[]"] }) => {
    const [row] = JSON.parse(rows) as { body: string }[];
    const body = Buffer.from(row?.body ?? "", "base64");
    const from = { queue: "q", headers: {}, sequence: 1, storedAt: 1, origin: "producer" } as const;
    const read = readEnvelope({ ...from, body });
    return read.ok ? [read.envelope.payload, read.envelope.uniqueKey] : read;
  });
  expect(sent).toHaveLength(3);
  expect(sent).toEqual(expect.arrayContaining([1, 2, 3].map((n) => [{ n }, `k${n}`])));
});
