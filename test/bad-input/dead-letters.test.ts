import type { HistoryRecord, StoredDeadLetter } from "@millrace/core";
import { connect } from "@nats-io/transport-node";
import { beforeAll, describe, expect, it } from "vitest";
import { patientManager } from "../harness/administrator.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { within } from "../harness/deadline.ts";
import { type NodeOnServer, startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";
import { BAD_MESSAGES, GOOD } from "./bad-messages.ts";
import { type BareClient, bareClient, UNDISTURBED } from "../harness/bare-client.ts";
import { strictJob } from "./strict-job.ts";

const QUEUE = "bad";
const DEADLINE_MS = 10_000;

describeEachServer(
  "a bad message becomes a dead letter with its reason and its bytes",
  (server) => {
    let served: NodeOnServer;
    let bare: BareClient;
    let good = 0;
    /** Letters beside those of the table. */
    let extra = 0;
    const settled = new Map<string, PromiseWithResolvers<void>>();
    const settlementOf = (id: string): PromiseWithResolvers<void> => {
      const known = settled.get(id) ?? Promise.withResolvers<void>();
      settled.set(id, known);
      return known;
    };

    beforeAll(async () => {
      served = await startNodeOnServer(server, { jobs: [strictJob(QUEUE)] });
      served.node.events.on("job.settled", ({ id }) => settlementOf(id).resolve());
      bare = await bareClient(server);
    });

    it.each(BAD_MESSAGES)("$title", async ({ body, headers = {}, reason, error, id }) => {
      const { broker, namespace, node } = served;
      const ack = await bare.publish(`${namespace}.jobs.${QUEUE}`, body, {
        ...headers,
        "X-Case": "kept",
      });
      expect(ack.error).toBeUndefined();
      const filed = id ?? `${QUEUE}-${ack.seq}`;
      await within(settlementOf(filed).promise, DEADLINE_MS, `the settlement of ${filed}`);

      const [letter, ...more] = await broker.deadLetters.list({ queue: QUEUE, id: filed });
      expect(more).toEqual([]);
      expect(letter).toMatchObject({
        id: filed,
        queue: QUEUE,
        reason,
        attempts: 0,
        node: node.name,
        headers: { "x-case": "kept" },
      });
      expect(letter?.error?.message).toMatch(error);
      expect(bytesOf(letter)).toBe(Buffer.from(body).toString("base64"));
      expect(await history(filed)).toEqual([[reason === "expired" ? "expired" : "dead", reason]]);
      expect(node.health()).toMatchObject({ ready: true, live: true, problems: [] });
      await runsAGoodJob();
    });

    it("as the protocol's page lays it out", async () => {
      const nc = await connect({ servers: server.url });
      cleanUpLater(() => nc.close());
      const { namespace, node } = served;
      const body = JSON.stringify({ name: "bad.layout", payload: 1 });
      await bare.publish(`${namespace}.jobs.${QUEUE}`, body, {
        "Nats-Msg-Id": "layout",
        "Millrace-Own": "mine",
        "X-Case": "kept",
      });
      await within(settlementOf("layout").promise, DEADLINE_MS, "the settlement of layout");
      const jsm = await patientManager(nc);
      const letter = await jsm.streams.getMessage(`${namespace}-dead`, {
        last_by_subj: `${namespace}.dead.${QUEUE}.layout`,
      });
      expect(letter?.string()).toBe(body);
      const headers = Object.fromEntries(
        [...(letter?.header ?? [])].map(([name, [value]]) => [name, value]),
      );
      const {
        "Nats-Msg-Id": _ours,
        "Millrace-At": at,
        "Millrace-Error": error,
        "Millrace-First-Stored-At": storedAt,
        ...rest
      } = headers;
      expect(rest).toEqual({
        "Millrace-Id": "layout",
        "Millrace-Name": "bad.layout",
        "Millrace-Reason": "unknown-name",
        "Millrace-Attempts": "0",
        "Millrace-Door": "producer",
        "Millrace-Node": JSON.stringify(node.name),
        "Millrace-Original-nats-msg-id": "layout",
        "Millrace-Original-millrace-own": "mine",
        "x-case": "kept",
      });
      expect(Math.abs(Date.now() - Number(at))).toBeLessThan(60_000);
      expect(Math.abs(Date.now() - Number(storedAt))).toBeLessThan(60_000);
      expect(JSON.parse(error ?? "")).toMatchObject({ type: "unknown-name" });
      extra += 1;
    });

    it("leaves nothing in the queue", async () => {
      const { broker } = served;
      expect(await broker.deadLetters.list({ limit: 1_000 })).toHaveLength(
        BAD_MESSAGES.length + extra,
      );
      expect(await broker.queues.snapshot(QUEUE)).toMatchObject({
        queued: 0,
        delayed: 0,
        dead: BAD_MESSAGES.length + extra,
      });
    });

    async function runsAGoodJob(): Promise<void> {
      good += 1;
      const id = `good-${good}`;
      await bare.publish(`${served.namespace}.jobs.${QUEUE}`, JSON.stringify({ ...GOOD, id }));
      await within(settlementOf(id).promise, DEADLINE_MS, `the settlement of ${id}`);
      expect(await history(id)).toEqual([["succeeded", undefined]]);
    }

    async function history(
      id: string,
    ): Promise<[HistoryRecord["state"], HistoryRecord["reason"]][]> {
      const records = await served.broker.history.read({ id, queue: QUEUE });
      return records.map(({ state, reason }) => [state, reason]);
    }
  },
  { undisturbed: UNDISTURBED },
);

describe("the table of bad messages", () => {
  it("has titles and ids that are unique", () => {
    const titles = BAD_MESSAGES.map(({ title }) => title);
    const ids = BAD_MESSAGES.flatMap(({ id }) => id ?? []);
    expect(new Set(titles).size).toBe(titles.length);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

function bytesOf(letter: StoredDeadLetter | undefined): string {
  return Buffer.from(letter?.body ?? []).toString("base64");
}
