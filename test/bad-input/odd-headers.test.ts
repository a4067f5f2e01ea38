import { defineJob, fatal } from "@millrace/core";
import { beforeAll, expect, it } from "vitest";
import { within } from "../harness/deadline.ts";
import { type NodeOnServer, startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";
import { publishRaw, UNDISTURBED } from "../harness/bare-client.ts";

const QUEUE = "heads";

/**
 * Header blocks that a hand-written client may send. A job with one must retry and die like any
 * other.
 */
const BLOCKS: readonly { readonly title: string; readonly block: string }[] = [
  { title: "a line feed within a value", block: "X-Odd: one\ntwo" },
  { title: "a carriage return within a value", block: "X-Odd: one\rtwo" },
  { title: "a name that is no ASCII", block: "Grüße: hallo" },
  { title: "a name with a space", block: "X Odd: 1" },
  { title: "no colon at all", block: "nonsense" },
  { title: "a value that is no ASCII", block: "X-Odd: Zoë 日本" },
  { title: "an empty value", block: "X-Odd:" },
  { title: "the same name three times", block: "X-Odd: 1\r\nx-odd: 2\r\nX-ODD: 3" },
  { title: "a name of the language's own", block: "__proto__: 1\r\nconstructor: 2" },
  { title: "the server's own names", block: "Nats-Rollup: all\r\nNats-Expected-Stream: other" },
  {
    title: "hundreds of headers",
    block: Array.from({ length: 500 }, (_, i) => `X-${i}: ${"v".repeat(40)}`).join("\r\n"),
  },
];

describeEachServer(
  "headers that no client would write",
  (server) => {
    let served: NodeOnServer;
    const settled = new Map<string, PromiseWithResolvers<void>>();

    beforeAll(async () => {
      const retry = { attempts: 2, backoff: "none" } as const;
      const failing = defineJob({ name: "odd.failing", queue: QUEUE, retry }).handler(() => fail());
      const dying = defineJob({ name: "odd.dying", queue: QUEUE, retry }).handler(() =>
        fatal("no"),
      );
      served = await startNodeOnServer(server, { jobs: [failing, dying] });
      served.node.events.on("job.settled", ({ id, state }) => {
        if (state === "dead") settled.get(id)?.resolve();
      });
    });

    it.each(BLOCKS)("$title", async ({ title, block }) => {
      // The server would refuse what is addressed to it; the rest is stored as it is.
      const refused = block.includes("Nats-Expected-Stream");
      for (const [name, reason, attempts] of [
        ["odd.failing", "attempts-exhausted", 2],
        ["odd.dying", "fatal", 1],
      ] as const) {
        const id = `${name.slice(4)}-${BLOCKS.findIndex((one) => one.title === title)}`;
        const done = Promise.withResolvers<void>();
        settled.set(id, done);
        const body = Buffer.from(JSON.stringify({ name, payload: 1, id }));
        const lines = refused ? block.split("\r\n").slice(0, 1).join("") : block;
        await publishRaw(server, `${served.namespace}.jobs.${QUEUE}`, lines, body);
        if (refused) continue;
        await within(done.promise, 20_000, `the death of ${id}`);
        const [letter] = await served.broker.deadLetters.list({ queue: QUEUE, id });
        expect(letter).toMatchObject({ reason, attempts });
      }
      expect(served.node.health()).toMatchObject({ ready: true, running: 0 });
    });
  },
  { undisturbed: UNDISTURBED },
);

function fail(): never {
  throw new Error("as it should");
}
