import { expect, test } from "vitest";
import { ConfirmedPublisher } from "../../packages/broker-nats/src/publish/confirmed-publisher.ts";
import { administrator } from "../harness/administrator.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { describeEachServer } from "../harness/servers.ts";
import { connected } from "./connected.ts";

/** More than a read asks of the leader one by one, so that it makes a consumer. */
const MANY = 250;

describeEachServer("a stream that is read whole", (server) => {
  async function filled() {
    const namespace = server.namespace();
    const broker = await connected({ servers: server.url, namespace });
    const { nc, jsm } = await administrator(server);
    for (const kind of ["history", "dead", "blocked"])
      await jsm.streams.add({ name: `${namespace}-${kind}`, subjects: [`${namespace}.${kind}.>`] });
    const publisher = new ConfirmedPublisher(nc);
    cleanUpLater(() => publisher.close());
    const publish = (subjectOf: (n: number) => string): Promise<unknown> =>
      publisher.publishMany(
        Array.from({ length: MANY }, (_, n) => ({
          ...{ subject: subjectOf(n), data: Buffer.from("{}") },
          headers: { "Nats-Msg-Id": subjectOf(n) },
        })),
      );
    return { namespace, broker, nc, publish };
  }

  test("is asked for by its sequences: for no wildcard does the server look through its subjects", async () => {
    const { namespace, broker, nc, publish } = await filled();
    await publish((n) => `${namespace}.history.q.job-${n}.ended`);
    await publish((n) => `${namespace}.dead.q.job-${n}`);
    await publish((n) => `${namespace}.blocked.q.gate-${n}`);
    const documents = await broker.documents("things");
    for (let n = 0; n < MANY; n += 1) await documents.put(`key-${n}`, n);
    const filters: string[] = [];
    let consumers = 0;
    nc.subscribe("$JS.API.CONSUMER.CREATE.*", {
      callback: (_error, msg) => {
        consumers += 1;
        filters.push(msg.json<CreateRequest>().config.filter_subject ?? "none");
      },
    });
    nc.subscribe("$JS.API.STREAM.MSG.GET.*", {
      callback: (_error, msg) => {
        const { last_by_subj: last, next_by_subj: next } = msg.json<GetRequest>();
        filters.push(last ?? next ?? "none");
      },
    });
    await nc.flush();
    const tail = { withinMs: 60_000, limit: MANY };

    await broker.history.stretch({ after: 0, limit: MANY });
    await broker.history.recent({ limit: 1 });
    await broker.history.tail(tail);
    const letters = await broker.deadLetters.list({ limit: MANY });
    const buried = await broker.deadLetters.tail(tail);
    await broker.blocked.list({ limit: MANY });
    await broker.blocked.find("nobody", {});
    const listed = await broker.documents("things").then((bucket) => bucket.list());
    const newest = await documents.page({ order: "newest first", limit: MANY });
    const oldest = await documents.page({ order: "oldest first", limit: MANY });
    await documents.forgetRemoved({ olderThanMs: 0 });
    await nc.flush();

    expect([letters.length, buried.length, listed.length]).toEqual([MANY, MANY, MANY]);
    expect([newest.documents.length, oldest.documents.length]).toEqual([MANY, MANY]);
    expect(consumers).toBeGreaterThan(8);
    expect(filters.filter((filter) => filter !== ">")).toEqual([]);
  });

  test("has only what is on a subject of its kind, and what is on another makes no page look like the last", async () => {
    const { namespace, broker, publish } = await filled();
    await publish((n) => `${namespace}.dead.q.job-${n}${n % 3 === 0 ? "" : ".more"}`);
    const letters = await broker.deadLetters.list({ limit: 60 });
    expect(letters.map(({ id }) => id)).toEqual(
      Array.from({ length: 60 }, (_, n) => `job-${3 * n}`),
    );
    const rest = await broker.deadLetters.list({ limit: 60, after: letters.at(-1)?.sequence ?? 0 });
    expect(rest.map(({ id }) => id)).toEqual(
      Array.from({ length: Math.ceil(MANY / 3) - 60 }, (_, n) => `job-${3 * (60 + n)}`),
    );
    const buried = await broker.deadLetters.tail({ withinMs: 60_000, limit: MANY });
    expect(new Set(buried.map(({ id }) => Number(id.slice(4)) % 3))).toEqual(new Set([0]));
  });
});

interface CreateRequest {
  readonly config: { readonly filter_subject?: string };
}

interface GetRequest {
  readonly last_by_subj?: string;
  readonly next_by_subj?: string;
}
