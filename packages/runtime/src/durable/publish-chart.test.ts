import { chartsKey, defineMachine, MACHINES_BUCKET, readCharts } from "@millrace/core";
import { MemoryBroker } from "@millrace/testkit";
import { expect, test } from "vitest";
import { createMachine } from "xstate";
import { publishChart } from "./publish-chart.ts";

const chart = (state: string) => createMachine({ initial: state, states: { [state]: {} } });
const order = (version: number, state = "open") =>
  defineMachine({ name: "order", version, machine: chart(state), migrate: (stored) => stored });

async function stored(broker: MemoryBroker) {
  const documents = await broker.documents(MACHINES_BUCKET);
  const found = await documents.get(chartsKey("order"));
  const charts = readCharts(found?.value)?.charts ?? [];
  return {
    revision: found?.revision,
    charts: charts.map(({ version, states }) => `${version} ${states[0]?.path}`),
  };
}

test("nodes of several versions that begin at once store each version's chart, once", async () => {
  const broker = new MemoryBroker();
  const versions = [2, 1, 2, 3, 1];
  await Promise.all(versions.map((version) => publishChart(broker, order(version))));
  const { charts, revision } = await stored(broker);
  expect(charts).toEqual(["1 open", "2 open", "3 open"]);
  await publishChart(broker, order(2));
  expect((await stored(broker)).revision).toBe(revision);
});

test("a chart that changed without its version takes the place of the one before", async () => {
  const broker = new MemoryBroker();
  await publishChart(broker, order(1));
  await publishChart(broker, order(1, "begun"));
  expect((await stored(broker)).charts).toEqual(["1 begun"]);
});

test("what is stored as no JSON is written anew", async () => {
  const broker = new MemoryBroker();
  const documents = await broker.documents(MACHINES_BUCKET);
  const key = chartsKey("order");
  const revision = await documents.put(key, "{ no JSON");
  // To a real server's reader it is absent and yet there.
  const unreadable = { key, revision, updatedAt: 0, unreadable: "it is no JSON" };
  const store = { get: async () => undefined, find: async () => unreadable };
  await publishChart({ documents: async () => Object.assign(documents, store) }, order(1));
  expect((await stored(broker)).charts).toEqual(["1 open"]);
});

test("only the newest versions are kept", async () => {
  const broker = new MemoryBroker();
  for (const version of [1, 2, 3, 4, 5, 6, 7]) await publishChart(broker, order(version));
  expect((await stored(broker)).charts).toEqual(["3 open", "4 open", "5 open", "6 open", "7 open"]);
});
