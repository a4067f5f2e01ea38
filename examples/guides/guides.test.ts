import type { AddressInfo } from "node:net";
import { createServer, type Server } from "node:http";
import { createTestRuntime, type TestRuntime } from "millrace/testing";
import { expect, onTestFinished, test, vi } from "vitest";
import { describeServer } from "../../test/harness/servers.ts";
import { type Answer, answer, askForApproval, deadlineWith, publish } from "./approval.ts";
import { charge, charging } from "./charge.ts";
import { makeInvoiceWith } from "./make-invoice.ts";
import { invoiceRoutes } from "./with-express.ts";
import { invoiceServer } from "./with-fastify.ts";
import { invoiceApp } from "./with-hono.ts";
import { JobsService } from "./with-nest.ts";
import { POST } from "./with-next.ts";

const ORDER = JSON.stringify({ order: "7", cents: 1200 });
const BAD_ORDER = JSON.stringify({ order: "7", cents: -1 });
const JSON_BODY = { "content-type": "application/json" };
const makeInvoice = makeInvoiceWith({ print: (text) => Promise.resolve(`${text}.pdf`) });

async function runtime(...jobs: readonly unknown[]): Promise<TestRuntime> {
  const t = await createTestRuntime({ jobs });
  onTestFinished(() => t.stop());
  return t;
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function expectInvoice(t: TestRuntime): Promise<void> {
  await t.drain();
  expect(await t.assertSucceeded("invoice-7")).toMatchObject({
    result: { file: "7: 12 €.pdf" },
  });
}

test("a Fastify route enqueues, and a second click enqueues nothing", async () => {
  const t = await runtime(makeInvoice);
  const app = invoiceServer(t.client);
  const post = () =>
    app.inject({ method: "POST", url: "/invoices", headers: JSON_BODY, payload: ORDER });
  expect([(await post()).statusCode, (await post()).json()]).toEqual([202, { id: "invoice-7" }]);
  expect((await app.inject("/readyz")).statusCode).toBe(200);
  await expectInvoice(t);
  await app.close();
});

test("a Hono route passes the progress of a job on until it has ended", async () => {
  const t = await runtime(makeInvoice);
  const app = invoiceApp(t.client);
  const posted = await app.request("/invoices", { method: "POST", body: ORDER });
  expect([posted.status, await posted.json()]).toEqual([202, { id: "invoice-7" }]);
  const events = (await app.request("/invoices/invoice-7/progress")).text();
  await expectInvoice(t);
  expect(await events).toMatch(/event: end\ndata: succeeded/);
});

test("an Express route answers 400 where the job's schema refuses the input", async () => {
  const t = await runtime(makeInvoice);
  const url = await listening(createServer(invoiceRoutes(t.client)));
  const post = (body: string) =>
    fetch(`${url}/invoices`, { method: "POST", headers: JSON_BODY, body });
  expect((await post(BAD_ORDER)).status).toBe(400);
  expect((await post(ORDER)).status).toBe(202);
  await expectInvoice(t);
});

test("a Next.js route handler enqueues over the client of its process", async () => {
  const t = await runtime(makeInvoice);
  Object.assign(globalThis, { millrace: Promise.resolve(t.client) });
  const request = new Request("http://localhost/invoices", { method: "POST", body: ORDER });
  expect(await (await POST(request)).json()).toEqual({ id: "invoice-7" });
  await expectInvoice(t);
});

describeServer("a NestJS provider", "newest", (server) => {
  test("connects at the start of its module and closes at the shutdown", async () => {
    vi.stubEnv("MILLRACE_SERVERS", server.url);
    vi.stubEnv("MILLRACE_NAMESPACE", server.namespace());
    onTestFinished(() => void vi.unstubAllEnvs());
    const service = new JobsService();
    await service.onModuleInit();
    await expect(service.makeInvoice("7", 1200)).rejects.toMatchObject({ code: "queue-not-found" });
    await service.onApplicationShutdown();
  });
});

test("a payment gives the job's id as its key, waits as long as it is told, and knows a refusal", async () => {
  const keys: unknown[] = [];
  const answers = [429, 500, 200, 402];
  const provider = createServer((request, response) => {
    keys.push(request.headers["idempotency-key"]);
    response.writeHead(answers.shift() ?? 500).end("r-1");
  });
  const t = await runtime(charging(await listening(provider)));
  const paid = await t.enqueue(charge, { order: "7", cents: 1200 }, { id: "charge-7" });
  await t.drain();
  expect(await t.assertSucceeded(paid)).toMatchObject({ attempts: 3, result: { receipt: "r-1" } });
  const declined = await t.enqueue(charge, { order: "8", cents: 1200 }, { id: "charge-8" });
  await t.drain();
  await t.assertDead(declined);
  expect(keys).toEqual(["charge-7", "charge-7", "charge-7", "charge-8"]);
});

test("an answer in time stands, a second click publishes nothing, and silence is too late", async () => {
  const answers = new Map<string, Answer>();
  const requests = {
    decide: (id: string, said: Answer): Promise<Answer> => {
      if (!answers.has(id)) answers.set(id, said);
      return Promise.resolve(answers.get(id) ?? said);
    },
  };
  const published: string[] = [];
  const t = await runtime(
    deadlineWith(requests),
    publish.handler(({ input }) => void published.push(input.id)),
  );
  await askForApproval(t.client, "a");
  await askForApproval(t.client, "b");
  expect(await answer(t.client, requests, "a", "approved")).toBe("approved");
  expect(await answer(t.client, requests, "a", "refused")).toBe("approved");
  await t.drain();
  expect(published).toEqual(["a"]);
  expect(answers.get("b")).toBe("too late");
  expect(await answer(t.client, requests, "b", "approved")).toBe("too late");
});
