import { connectBroker } from "@millrace/broker-nats";
import { connect as connectNats } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";

describeEachServer("a queue that is closed and opened again", (server) => {
  test("has all its doors at once, so that nobody takes it for one that has no keys", async () => {
    const namespace = server.namespace();
    const broker = await connectBroker({ servers: server.url, namespace });
    cleanUpLater(() => broker.close());
    await broker.queues.ensure("mail");
    const nc = await connectNats({ servers: server.url });
    cleanUpLater(() => nc.close());
    const told: string[] = [];
    nc.subscribe("$JS.EVENT.ADVISORY.STREAM.*.*", {
      callback: (_error, { subject }) => void told.push(subject.split(".").slice(4).join(" ")),
    });
    await nc.flush();
    await broker.queues.setIntake("mail", "closed");
    await broker.queues.setIntake("mail", "open");
    await broker.queues.ensure("last");
    const isLast = (what: string): boolean => what.endsWith("-queue-last");
    await eventually(() => told.some(isLast), { withinMs: 60_000, describe: "all is told" });
    const mail = told.filter((what) => what === `UPDATED ${namespace}-queue-mail`);
    expect(mail).toHaveLength(2);
  });
});
