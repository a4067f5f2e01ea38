import { expect, test } from "vitest";
import { type Envelope, UNSETTLED } from "../envelope/envelope.ts";
import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { countingBroker } from "./counting-broker.ts";
import { type MetricsCollector, noMetrics } from "./metrics-collector.ts";

const clock = new SimulatedClock();
const job = (id: string, name: string, queue = "mail"): Envelope => ({
  ...UNSETTLED,
  id,
  name,
  queue,
  payload: null,
  createdAt: clock.now(),
  headers: {},
});

async function scene() {
  const broker = new MemoryBroker({ clock });
  await broker.queues.ensure("mail");
  const said: string[] = [];
  const metrics: MetricsCollector = {
    increment: (name, labels, by = 1) => void said.push(`${name} ${JSON.stringify(labels)} ${by}`),
    observe: (name, labels) => void said.push(`${name} ${JSON.stringify(labels)}`),
    gauge: () => {},
  };
  return { broker, said, counting: countingBroker(broker, metrics, clock) };
}

test("each stored job is counted once; duplicates and refused jobs are not", async () => {
  const { counting, said } = await scene();
  await counting.enqueue([job("a", "one"), job("b", "one"), job("a", "one"), job("c", "two")]);
  await counting.enqueue([job("d", "one", "nowhere")]);
  expect(said).toEqual([
    'millrace_jobs_enqueued_total {"queue":"mail","job_name":"one"} 2',
    'millrace_jobs_enqueued_total {"queue":"mail","job_name":"two"} 1',
    'millrace_publish_duration_seconds {"queue":"mail","outcome":"stored"}',
    'millrace_publish_duration_seconds {"queue":"nowhere","outcome":"queue-not-found"}',
  ]);
});

test("what is put into a queue anew is counted where it is a new job, and not where it is an old one", async () => {
  const { counting, said } = await scene();
  await counting.requeue(job("callback", "done"));
  await counting.requeue({ ...job("retried", "one"), generation: 3 });
  expect(said).toEqual([
    'millrace_jobs_enqueued_total {"queue":"mail","job_name":"done"} 1',
    'millrace_publish_duration_seconds {"queue":"mail","outcome":"stored"}',
  ]);
});

test("everything else is the broker's own, and without a collector it is the broker itself", async () => {
  const { broker, counting } = await scene();
  expect(counting.queues).toBe(broker.queues);
  expect(counting.status).toBe("connected");
  expect(await counting.serverNow()).toBe(await broker.serverNow());
  expect(countingBroker(broker, noMetrics, clock)).toBe(broker);
});

test("a collector that throws does not make a stored job look as if it weren't", async () => {
  const { broker } = await scene();
  const broken: MetricsCollector = {
    increment: () => {
      throw new Error("broken");
    },
    observe: () => {},
    gauge: () => {},
  };
  const [result] = await countingBroker(broker, broken, clock).enqueue([job("a", "one")]);
  expect(result).toMatchObject({ ok: true, id: "a" });
});
