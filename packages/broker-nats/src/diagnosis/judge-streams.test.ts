import type { StreamConfig, StreamInfo } from "@nats-io/jetstream";
import { expect, test } from "vitest";
import { Names } from "../topology/subjects.ts";
import { judgeAway, judgeCopies } from "./judge-copies.ts";
import { judgeSources } from "./judge-sources.ts";
import { judgeStores, type StoreSeen } from "./judge-store.ts";

const names = new Names("shop");
const mover = { config: { durable_name: "mover", max_deliver: -1, max_ack_pending: -1 } };

function store(name: string, change: object = {}, more: object = {}): StoreSeen {
  const stream = {
    ...{ name, storage: "file", num_replicas: 3, max_age: 0, max_msgs: -1, max_bytes: -1 },
    ...{ discard: "old", max_msgs_per_subject: 1, allow_msg_schedules: true },
    ...change,
  };
  return {
    stream,
    consumers: [],
    clustered: true,
    schedules: true,
    ...more,
  } as unknown as StoreSeen;
}

const consumer = (change: object, schedules = true) =>
  store("shop-delayed", schedules ? {} : { allow_msg_schedules: false }, {
    schedules,
    consumers: [{ config: { ...mover.config, ...change }, paused: false }],
  });

test("streams as Millrace makes them are sound", () => {
  const sound = [
    consumer({}),
    consumer({}, false),
    store("shop-dead", { discard: "new" }),
    store("shop-blocked", { discard: "new" }),
    store("shop-batches"),
    store("shop-history", { max_age: 1e9, max_msgs: 7 }),
    store("KV_shop-locks", { max_age: 1e9 }),
    store("KV_shop-controls"),
  ];
  expect(judgeStores(names, sound).map(({ status }) => status)).toEqual(["ok"]);
});

test.each([
  ["one replica in a cluster", store("shop-history", { num_replicas: 1 }), "warn", /replicas=3/],
  ["memory", store("KV_shop-nodes", { storage: "memory" }), "fail", /anew on files/],
  ["an age limit on delayed jobs", store("shop-delayed", { max_age: 1e9 }), "fail", /max_age/],
  ["discard new beside schedules", store("shop-delayed", { discard: "new" }), "fail", /10052/],
  [
    "no schedules after an upgrade",
    store("shop-delayed", { allow_msg_schedules: false }, { clustered: false }),
    "warn",
    /Restart a node/,
  ],
  [
    "no schedules in a cluster whose servers were upgraded",
    store("shop-delayed", { allow_msg_schedules: false }),
    "warn",
    /once all servers .* are 2\.12/,
  ],
  [
    "timers without schedules in such a cluster",
    store("shop-timers", { allow_msg_schedules: false }),
    "warn",
    /allow_msg_schedules of shop-timers/,
  ],
  ["a consumer of holders", consumer({ durable_name: "look" }), "fail", /consumer rm/],
  [
    "a consumer of one queue's holders",
    consumer({ durable_name: "look", filter_subject: "shop.delayed.mail.>" }),
    "fail",
    /consumer rm/,
  ],
  ["a mover that gives up", consumer({ max_deliver: 3 }), "fail", /makes it anew/],
  ["a mover's backoff", consumer({ backoff: [1e9] }), "fail", /makes it anew/],
  [
    "a mover's limit where jobs wait in it",
    consumer({ max_ack_pending: 1_000 }, false),
    "fail",
    /max_ack_pending/,
  ],
  ["a limit on blocked jobs", store("shop-blocked", { max_msgs: 9 }), "fail", /max_msgs/],
  ["dead letters that go", store("shop-dead", { discard: "old" }), "warn", /discard/],
  [
    "dead letters that age",
    store("shop-dead", { discard: "new", max_age: 60e9 }),
    "warn",
    /max_age/,
  ],
  [
    "a bucket that is read anywhere",
    store("KV_shop-controls", { allow_direct: true }),
    "warn",
    /allow_direct/,
  ],
  ["locks that never expire", store("KV_shop-locks"), "fail", /max_age/],
  [
    "many revisions",
    store("KV_shop-controls", { max_msgs_per_subject: 5 }),
    "warn",
    /max_msgs_per_subject/,
  ],
])("%s: found, with what to do", (_what, seen, status, advice) => {
  const findings = judgeStores(names, [seen]);
  expect(findings).toHaveLength(1);
  expect(findings[0]?.status).toBe(status);
  expect(findings[0]?.advice).toMatch(advice);
});

const info = (cluster: object | undefined) =>
  ({ config: { name: "shop-queue-mail" }, cluster }) as unknown as StreamInfo;
const there = { name: "b", current: true, active: 1 };

test.each([
  ["a single server", undefined, []],
  ["all there", { leader: "a", replicas: [there] }, []],
  ["no leader", { replicas: [there] }, ["fail"]],
  ["one behind", { leader: "a", replicas: [{ ...there, lag: 50_000 }] }, ["warn"]],
])("replicas: %s", (_what, cluster, statuses) => {
  expect(judgeCopies(info(cluster)).map(({ status }) => status)).toEqual(statuses);
});

test("a server that is away is named once, with how many streams lack it", () => {
  const away = { leader: "a", replicas: [{ ...there, current: false, offline: true }] };
  const streams = ["v", "w", "x", "y", "z"].map((name) => ({ ...info(away), config: { name } }));
  expect(judgeAway(streams as unknown as StreamInfo[])).toMatchObject([
    {
      check: "server b",
      status: "warn",
      message: "is away, with replicas of 5 streams: v, w, x and 2 more",
    },
  ]);
  expect(judgeAway([info(away)])).toMatchObject([
    { message: "is away, with a replica of the stream shop-queue-mail" },
  ]);
  expect(judgeAway([info({ leader: "a", replicas: [there] }), info(undefined)])).toEqual([]);
});

test("a stream that is filled from a queue takes its jobs, and some servers lose them", () => {
  const streams = [
    { name: "copy", sources: [{ name: "shop-queue-mail" }, { name: "other" }] },
    { name: "mirror", mirror: { name: "elsewhere" } },
  ] as unknown as StreamConfig[];
  expect(judgeSources(names, streams, false)).toMatchObject([
    { check: "queue mail", status: "warn", message: expect.stringContaining("copy") as string },
  ]);
  expect(judgeSources(names, streams, true)).toMatchObject([{ status: "fail" }]);
});
