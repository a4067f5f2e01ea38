import { MillraceError, type MetricsCollector } from "@millrace/core";
import { expect, test } from "vitest";
import type { OutboxStatus } from "../store/outbox-store.ts";
import { tellStatus } from "./tell-status.ts";

/** A collector that is read when the test says so. */
function collector(): {
  metrics: MetricsCollector;
  gauges: Map<string, number>;
  read: () => Promise<void>;
} {
  const gauges = new Map<string, number>();
  let look: () => void | Promise<void> = () => {};
  const metrics: MetricsCollector = {
    increment: () => {},
    observe: () => {},
    gauge: (name, labels, value) => {
      const key = `${name} ${Object.values(labels).join()}`;
      if (value === undefined) gauges.delete(key);
      else gauges.set(key, value);
    },
    onCollect: (wanted) => {
      look = wanted;
      return () => void (look = () => {});
    },
  };
  return { metrics, gauges, read: async () => look() };
}

const mail = { queue: "mail", waiting: 3, oldestAgeMs: 1_500, setAside: 1 };

test("what waits is told when it is read, and no more once the relay has stopped", async () => {
  const { metrics, gauges, read } = collector();
  const end = tellStatus({ status: async () => [mail] }, metrics);
  expect(gauges.size).toBe(0);
  await read();
  expect(Object.fromEntries(gauges)).toEqual({
    "millrace_outbox_waiting mail": 3,
    "millrace_outbox_set_aside mail": 1,
    "millrace_outbox_oldest_age_seconds mail": 1.5,
  });
  end();
  expect(gauges.size).toBe(0);
});

test("a queue that left the outbox, and a database that is away, leave no old numbers", async () => {
  const { metrics, gauges, read } = collector();
  let answer: () => Promise<readonly OutboxStatus[]> = async () => [mail];
  tellStatus({ status: () => answer() }, metrics);
  await read();
  answer = async () => [{ ...mail, queue: "shop" }];
  await read();
  expect([...gauges.keys()].every((key) => key.endsWith(" shop"))).toBe(true);
  answer = () => Promise.reject(new MillraceError("outbox-failed", "The database is away."));
  await read();
  expect(gauges.size).toBe(0);
});
