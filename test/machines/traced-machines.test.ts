import { SpanStatusCode, trace } from "@opentelemetry/api";
import { headers } from "@nats-io/transport-node";
import { connect, createNode, defineJob, defineMachine } from "millrace";
import { telemetry, type TelemetryOptions } from "millrace/telemetry";
import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest";
import { assign, type PromiseActorLogic, setup } from "xstate";
import {
  idOf,
  linksOf,
  RecordedSpans,
} from "../../packages/millrace/src/telemetry/recorded-spans.fixture.ts";
import { administrator } from "../harness/administrator.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer, type TestServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: patient(240_000) });

const spans = new RecordedSpans();
beforeAll(() => spans.register());
afterEach(() => spans.clear());
afterAll(() => spans.unregister());

const charge = defineJob<string, string, string>({ name: "charge", queue: "payments" });
const chart = setup({
  types: {
    context: {} as { order: string; payment: string },
    input: {} as { order: string },
    events: {} as { type: "APPROVE" } | { type: "BOOM" } | { type: "PAUSE" },
  },
  actors: { charge: {} as PromiseActorLogic<string, string> },
  actions: { tell: () => trace.getTracer("app").startSpan("told").end() },
  guards: {
    boom: () => {
      throw new Error("refused, password=hunter2");
    },
  },
}).createMachine({
  context: ({ input }) => ({ order: input.order, payment: "" }),
  initial: "charging",
  states: {
    charging: {
      invoke: {
        src: "charge",
        input: ({ context }) => context.order,
        onDone: {
          target: "asking",
          actions: assign({ payment: ({ event }) => event.output }),
        },
      },
    },
    asking: {
      initial: "open",
      on: {
        BOOM: { guard: "boom", target: "approved" },
        APPROVE: { target: "approved", actions: "tell" },
      },
      states: {
        open: { on: { PAUSE: "paused" } },
        paused: { after: { 200: "resumed" } },
        resumed: {},
      },
    },
    approved: { type: "final" },
  },
});
const order = defineMachine({ name: "order", machine: chart, jobs: { charge } });

async function scene(server: TestServer, options: TelemetryOptions = {}) {
  // What is done twice has its spans twice.
  await server.calm();
  const namespace = server.namespace();
  const connection = { servers: server.url, namespace, env: {} };
  const instrumentation = telemetry(options);
  const node = await createNode({
    ...{ ...connection, instrumentation, nodeName: "host" },
    jobs: [charge.handler(({ input }) => `paid ${input}`)],
    machines: [order],
  });
  cleanUpLater(() => node.stop());
  await node.start();
  const millrace = await connect({ ...connection, instrumentation });
  cleanUpLater(() => millrace.close());
  return { namespace, machine: millrace.machine(order, "o:1") };
}

/** Runs a function in a span of the application's. */
const inSpan = (name: string, run: () => Promise<void>) =>
  trace.getTracer("app").startActiveSpan(name, async (span) => {
    await run();
    span.end();
  });

const transition = (value: string, attribute = "machine.event") =>
  eventually(
    async () =>
      spans.named("transition order").find(({ attributes }) => attributes[attribute] === value),
    { withinMs: 60_000, describe: `the span of ${value} has ended` },
  );

describeEachServer("the spans of a machine", (server) => {
  it("are one for each transition, in the trace of who sent the event", async () => {
    const { namespace, machine } = await scene(server);
    await inSpan("request", () => machine.start({ order: "secret-order" }));
    await machine.waitFor((one) => one.matches("asking"), { timeout: "1m" });
    const request = spans.one("request");
    const begun = await transition("xstate.init");
    const own = { "machine.name": "order", "machine.id": "o:1", "job.node": "host" };
    expect(begun.attributes).toEqual({
      ...own,
      ...{ "machine.event": "xstate.init", "machine.event.kind": "start" },
      ...{ "machine.state.after": "charging", "machine.status": "active" },
      ...{ "machine.revision": 1, "machine.outcome": "taken" },
    });
    expect(begun.parentSpanContext?.spanId).toBe(idOf(request));

    const publish = spans.one("publish payments");
    expect(publish.parentSpanContext?.spanId).toBe(idOf(begun));
    const ended = await transition("end", "machine.event.kind");
    expect(ended.attributes).toMatchObject({
      ...{ "machine.event.kind": "end", "machine.revision": 2 },
      ...{ "machine.state.before": "charging", "machine.state.after": '{"asking":"open"}' },
    });
    expect(ended.parentSpanContext?.spanId).toBe(idOf(publish));

    await inSpan("second request", () => machine.send({ type: "PAUSE" }, { id: "click" }));
    await machine.send({ type: "PAUSE" }, { id: "click" });
    const paused = await transition("PAUSE");
    expect(paused.parentSpanContext?.spanId).toBe(idOf(spans.one("second request")));
    await machine.waitFor((one) => one.matches({ asking: "resumed" }), { timeout: "1m" });
    const timed = await transition("timer", "machine.event.kind");
    expect(timed.parentSpanContext).toBeUndefined();

    // Any client may say which trace an event is of.
    const { nc } = await administrator(server);
    const sent = headers();
    sent.set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    const subject = `${namespace}.inbox.order.o:1`;
    await nc.request(subject, '{"type":"BOOM"}', { headers: sent, timeout: 20_000 });
    const failed = await transition("BOOM");
    expect(failed.parentSpanContext?.spanId).toBe("b7ad6b7169203331");
    expect(failed.attributes).toMatchObject({
      ...{ "machine.outcome": "failed", "error.type": "Error" },
      ...{ "machine.state.before": '{"asking":"resumed"}' },
      ...{ "machine.state.after": '{"asking":"resumed"}' },
    });
    expect(failed.status).toMatchObject({ code: SpanStatusCode.ERROR });
    expect(failed.status.message).toContain("refused");

    await machine.send({ type: "APPROVE" });
    const approved = await transition("APPROVE");
    expect(approved.attributes).toMatchObject({ "machine.status": "done" });
    expect(spans.one("told").parentSpanContext?.spanId).toBe(idOf(approved));
    const all = spans.named("transition order");
    expect(all).toHaveLength(6);
    const told = JSON.stringify(
      all.map(({ attributes, events, status }) => [attributes, events, status]),
    );
    expect(told).not.toMatch(/hunter2|secret-order/);
  });

  it("have traces of their own on demand", async () => {
    const { machine } = await scene(server, { propagation: "link" });
    await inSpan("request", () => machine.start({ order: "1" }));
    const begun = await transition("xstate.init");
    expect(begun.parentSpanContext).toBeUndefined();
    expect(linksOf(begun)).toEqual([idOf(spans.one("request"))]);
    // Nothing follows from it: no span comes when the next test has begun.
    const ended = await transition("end", "machine.event.kind");
    expect(linksOf(ended)).toEqual([idOf(spans.one("publish payments"))]);
  });
});
