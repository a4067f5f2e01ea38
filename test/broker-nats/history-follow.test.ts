import type { HistoryRecord } from "@millrace/core";
import { headers } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { writeHistoryRecord } from "../../packages/broker-nats/src/messages/history-message.ts";
import { administrator } from "../harness/administrator.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { CollectingWorker } from "./collecting-worker.ts";
import { connected } from "./connected.ts";

const QUEUE = "q";
const ID = "job-1";

function record(generation: number, state: "requeued" | "succeeded"): HistoryRecord {
  return {
    id: ID,
    name: "work",
    queue: QUEUE,
    state,
    outcome: state === "succeeded" ? "succeeded" : "failed",
    attempts: generation + 1,
    generation,
    at: Date.now(),
    node: "n1",
  };
}

describeEachServer("a job that is followed", (server) => {
  test("is said to have ended only once that is stored, though a subscriber hears of it before", async () => {
    // Nobody sends again what is published here and met a dying leader.
    await server.calm();
    const namespace = server.namespace();
    const broker = await connected({ servers: server.url, namespace });
    await broker.queues.ensure(QUEUE);
    // There is a history from the first worker on.
    await CollectingWorker.start(broker, QUEUE);
    const { nc } = await administrator(server);
    /** As a node does it, whose publish the stream does not take where `refused`. */
    const publish = (written: HistoryRecord, refused: boolean): void => {
      const said = headers();
      if (refused) said.set("Nats-Expected-Last-Sequence", "1000000");
      nc.publish(
        `${namespace}.history.${QUEUE}.${ID}.${written.state}`,
        writeHistoryRecord(written, 100_000, 100_000),
        { headers: said },
      );
    };
    const heard: string[] = [];
    const ear = nc.subscribe(`${namespace}.history.>`, {
      callback: (_error, msg) => void heard.push(msg.subject),
    });
    cleanUpLater(() => ear.unsubscribe());
    await nc.flush();
    const told: (readonly [number, string])[] = [];
    const follower = await broker.history.follow(
      { id: ID, queue: QUEUE },
      ({ generation, state }) => told.push([generation, state]),
    );
    cleanUpLater(() => follower.stop());

    publish(record(0, "succeeded"), true);
    publish(record(0, "requeued"), false);
    publish(record(1, "requeued"), true);
    publish(record(1, "requeued"), false);
    publish(record(2, "succeeded"), false);
    await eventually(() => heard.length === 5 && told.length >= 3, {
      withinMs: 20_000,
      describe: () => `three are stored; told ${JSON.stringify(told)}`,
    });
    expect(told).toEqual([
      [0, "requeued"],
      [1, "requeued"],
      [2, "succeeded"],
    ]);
  });
});
