import type { NatsBroker } from "@millrace/broker-nats";
import { jetstream } from "@nats-io/jetstream";
import { expect, test } from "vitest";
import { administrator } from "../harness/administrator.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { leaveOutOfCluster } from "../harness/cluster/mode.ts";
import { eventually, within } from "../harness/deadline.ts";
import { startProxy } from "../harness/proxy.ts";
import { describeEachServer } from "../harness/servers.ts";
import { connected } from "./connected.ts";

describeEachServer("documents on a server", (server) => {
  const connectedTo = (namespace: string, url = server.url): Promise<NatsBroker> =>
    connected({ servers: url, namespace });

  /** Watches a bucket and lets a test wait for a change. */
  async function watching(broker: NatsBroker) {
    const documents = await broker.documents("watched");
    const seen: unknown[] = [];
    const watcher = await documents.watch(({ key, document }) => seen.push([key, document?.value]));
    cleanUpLater(() => watcher.stop());
    return {
      seen,
      until: (count: number, withinMs: number) =>
        eventually(() => seen.length >= count, {
          withinMs,
          describe: () => `${count} changes; seen: ${JSON.stringify(seen)}`,
        }),
    };
  }

  test("a watcher hears soon after its server was killed and restarted, also what it would have heard first of all", async () => {
    const namespace = server.namespace();
    const watcher = await watching(await connectedTo(namespace));
    const writer = await connectedTo(namespace);
    const documents = await writer.documents("watched");
    const back = new Promise<void>((resolve) => {
      writer.onStatus((status) => {
        if (status === "connected") resolve();
      });
    });
    await server.kill();
    await server.restart();
    await within(back, 20_000, "the writer is connected again");
    await eventually(async () => (await documents.put("a", 1)) > 0, {
      withinMs: 20_000,
      describe: "a document is written after the restart",
    });
    // Missed heartbeats alone would take ten seconds to show it.
    await watcher.until(1, 20_000);
    expect(watcher.seen[0]).toEqual(["a", 1]);
  });

  test("a document of a megabyte that would take seventy is never read, and not written by us", async () => {
    const namespace = server.namespace();
    const broker = await connectedTo(namespace);
    const documents = await broker.documents("watched");
    const watcher = await watching(broker);
    const { nc } = await administrator(server);
    const worst = Array.from({ length: 340_000 }, () => ({}));
    await server.calm();
    await jetstream(nc).publish(`$KV.${namespace}-watched.worst`, JSON.stringify(worst));
    await documents.put("small", 1);
    await watcher.until(2, 20_000);
    expect(watcher.seen).toEqual([
      ["worst", undefined],
      ["small", 1],
    ]);
    expect(await documents.get("worst")).toBeUndefined();
    expect((await documents.list()).map(({ key }) => key)).toEqual(["small"]);
    await expect(documents.put("mine", worst)).rejects.toMatchObject({ code: "payload-too-large" });
    expect(await documents.put("worst", 2)).toBeGreaterThan(0);
    expect((await documents.get("worst"))?.value).toBe(2);
  });

  test("a watcher that was cut off hears of each change once it is back, removals too", async () => {
    const namespace = server.namespace();
    const proxy = await startProxy(server.url);
    const cutOff = await connectedTo(namespace, proxy.url);
    const watcher = await watching(cutOff);
    const documents = await (await connectedTo(namespace)).documents("watched");
    await documents.put("before", 0);
    await watcher.until(1, 20_000);
    proxy.cut();
    // Without a signal: it may be disconnected already, by the death of its member.
    await eventually(() => cutOff.status === "disconnected", {
      withinMs: 20_000,
      describe: "the watcher notices",
    });
    await documents.put("a", 1);
    await documents.remove("before");
    proxy.heal();
    await watcher.until(3, 20_000);
    expect(watcher.seen).toEqual([
      ["before", 0],
      ["a", 1],
      ["before", undefined],
    ]);
  });

  test("a watcher whose consumer died while its connection lives hears soon of what was written meanwhile", async () => {
    const namespace = server.namespace();
    const broker = await connectedTo(namespace);
    const documents = await broker.documents("watched");
    const watcher = await watching(broker);
    await documents.put("a", 1);
    await watcher.until(1, 20_000);
    // A consumer that died with its member can't be deleted.
    await server.calm();
    const { jsm } = await administrator(server);
    const stream = `KV_${namespace}-watched`;
    // As when the member of a cluster dies that had it.
    for (const { name } of await jsm.consumers.list(stream).next())
      await jsm.consumers.delete(stream, name);
    await documents.put("a", 2);
    await documents.put("b", 3);
    await watcher.until(3, 20_000);
    expect(watcher.seen).toEqual([
      ["a", 1],
      ["a", 2],
      ["b", 3],
    ]);
  });

  test("a watcher leaves no consumer behind: not when it ends, and one only when it was cut off and is back", async () => {
    const namespace = server.namespace();
    const proxy = await startProxy(server.url);
    const broker = await connectedTo(namespace, proxy.url);
    const documents = await broker.documents("watched");
    const watcher = await documents.watch(() => {});
    // A consumer whose deletion meets no leader stays for half a minute, and longer where its
    // member dies.
    await server.calm();
    const { jsm } = await administrator(server);
    const consumers = async () =>
      (await jsm.consumers.list(`KV_${namespace}-watched`).next()).map(({ name }) => name);
    const [first] = await consumers();
    proxy.cut();
    proxy.heal();
    await eventually(
      async () => {
        const [only, ...others] = await consumers();
        return only !== undefined && only !== first && others.length === 0;
      },
      { withinMs: 20_000, describe: "there is one consumer, and it is another" },
    );
    await watcher.stop();
    await broker.ping();
    await eventually(async () => (await consumers()).length === 0, {
      withinMs: 20_000,
      describe: "the consumer is gone",
    });
  });

  test("what is removed leaves nothing on the server once it is forgotten", async () => {
    const namespace = server.namespace();
    const broker = await connectedTo(namespace);
    const documents = await broker.documents("watched");
    for (let n = 0; n < 250; n += 1) {
      await documents.put(`k${n}`, n);
      if (n > 0) await documents.remove(`k${n}`);
    }
    await documents.forgetRemoved({ olderThanMs: 60_000 });
    const { jsm } = await administrator(server);
    const kept = async () => (await jsm.streams.info(`KV_${namespace}-watched`)).state.messages;
    expect(await kept()).toBe(250);
    await documents.forgetRemoved({ olderThanMs: 0 });
    expect(await kept()).toBe(1);
    expect(await documents.list()).toMatchObject([{ key: "k0", value: 0 }]);
  });

  test("one copy is peeked into by direct gets, and by its leader where somebody has turned those off", async (context) => {
    leaveOutOfCluster(
      context,
      "its bucket has three copies there, which peek-copies.test.ts is about",
    );
    const namespace = server.namespace();
    const documents = await (await connectedTo(namespace)).documents("peeked");
    const { nc, jsm } = await administrator(server);
    const stream = `KV_${namespace}-peeked`;
    let direct = 0;
    nc.subscribe(`$JS.API.DIRECT.GET.${stream}.>`, { callback: () => void (direct += 1) });
    await nc.flush();
    await documents.put("a", 0);
    await eventually(async () => (await documents.peek("a")) !== undefined && direct > 0, {
      withinMs: 20_000,
      describe: () => "a peek that asks nobody but the copy",
    });
    for (let n = 1; n <= 200; n += 1) {
      const revision = await documents.put("a", n);
      expect(await documents.peek("a")).toMatchObject({ value: n, revision });
    }
    expect(await documents.peek("a")).toEqual(await documents.get("a"));
    expect(direct).toBeGreaterThan(200);
    const { config } = await jsm.streams.info(stream);
    await jsm.streams.update(stream, { ...config, allow_direct: false });
    expect(await documents.peek("a")).toEqual(await documents.get("a"));
    expect(await documents.peek("none")).toBeUndefined();
  });
});
