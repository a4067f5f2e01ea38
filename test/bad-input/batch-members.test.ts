import { defineJob, type Envelope, UNSETTLED } from "@millrace/core";
import { connect, headers as natsHeaders } from "@nats-io/transport-node";
import { expect, it } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";

const QUEUE = "work";

describeEachServer("a job of a batch whose bytes nobody can decode", (server) => {
  it("is no longer open in its batch once they are among the dead letters", async () => {
    const told: unknown[] = [];
    const { broker, namespace } = await startNodeOnServer(server, {
      jobs: [
        defineJob({ name: "t.work", queue: QUEUE }).handler(() => {}),
        defineJob({ name: "t.report", queue: QUEUE }).handler(({ input }) => void told.push(input)),
      ],
      slots: 2,
    });
    const nc = await connect({ servers: server.url });
    cleanUpLater(() => nc.close());
    for (const id of ["b", "other"]) {
      const callback = jobOf(`${id}:callback`, "t.report");
      await broker.batches.open({ id, createdAt: Date.now(), callback });
    }
    const members = ["torn", "fine"].map((id) => ({ id, queue: QUEUE }));
    await broker.batches.join("b", members);
    await broker.batches.join("other", [{ id: "fine", queue: "elsewhere" }]);
    await broker.enqueue([{ ...jobOf("fine", "t.work"), batch: "b" }]);
    for (const id of ["torn", "nobodys"]) {
      const headers = natsHeaders();
      headers.set("Nats-Msg-Id", id);
      const torn = Buffer.from('{"name":"t.work","batch":"b","payl');
      await nc.request(`${namespace}.jobs.${QUEUE}`, torn, { headers, timeout: 10_000 });
    }
    await eventually(() => told.length > 0, { withinMs: 30_000, describe: "the batch is over" });
    expect(told).toMatchObject([
      { batch: { total: 2, succeeded: 1, dead: 1, failed: [{ id: "torn", end: "dead" }] } },
    ]);
    await eventually(async () => (await broker.deadLetters.list()).length === 2, {
      withinMs: 30_000,
      describe: "both are among the dead letters",
    });
    expect(await broker.batches.left("other")).toBe(1);
  });
});

function jobOf(id: string, name: string): Envelope {
  return {
    ...UNSETTLED,
    ...{ id, name, queue: QUEUE, payload: null, createdAt: Date.now(), headers: {} },
  };
}
