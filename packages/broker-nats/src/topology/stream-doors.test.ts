import type { NatsConnection } from "@nats-io/nats-core";
import { expect, test } from "vitest";
import { serverFeatures } from "../connection/server-features.ts";
import { batchDoor, scheduleDoor } from "./stream-doors.ts";

const OPEN = { allow_batched: true };

test.each([
  ["2.15.2", undefined, OPEN, OPEN],
  // Another server of the cluster may be older: a stream that exists would be out of its reach.
  ["2.15.2", "c", OPEN, {}],
  ["2.14.0", undefined, OPEN, OPEN],
  ["2.13.9", undefined, {}, {}],
  ["2.10.29", "c", {}, {}],
])("a server %s in the cluster %s", (version, cluster, create, update) => {
  const nc = { info: { version, cluster } } as unknown as NatsConnection;
  expect(batchDoor(nc, serverFeatures(version))).toEqual({ create, update });
});

test("while the connection is away no stream that exists gets a flag: the next server may be of a cluster", () => {
  const away = { info: undefined } as unknown as NatsConnection;
  const features = serverFeatures("2.15.2");
  expect(batchDoor(away, features).update).toEqual({});
  expect(scheduleDoor(away, features).update).toEqual({});
});

const SCHEDULES = { allow_msg_schedules: true };

test.each([
  ["2.15.2", undefined, SCHEDULES, SCHEDULES],
  // A delayed job would run no sooner than the next server is upgraded.
  ["2.15.2", "c", SCHEDULES, {}],
  ["2.12.0", "c", SCHEDULES, {}],
  ["2.11.9", "c", {}, {}],
  ["2.10.29", undefined, {}, {}],
])("delayed jobs on a server %s in the cluster %s", (version, cluster, create, update) => {
  const nc = { info: { version, cluster } } as unknown as NatsConnection;
  expect(scheduleDoor(nc, serverFeatures(version))).toEqual({ create, update });
});
