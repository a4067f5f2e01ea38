import { execFile } from "node:child_process";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { defineJob, type Envelope } from "@millrace/core";
import { beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../harness/deadline.ts";
import { type NodeOnServer, startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";
import { matrixCases } from "./matrix-cases.ts";
import { natsCommand, toolchain } from "./toolchains.ts";

const run = promisify(execFile);
const SCRIPT = join(import.meta.dirname, "producers", "shell", "enqueue.sh");
const QUEUE = "shell";
const chain = await toolchain(natsCommand);
const title = chain.state === "ready" ? natsCommand.name : `${natsCommand.name}: ${chain.reason}`;

describe.skipIf(chain.state === "missing")(title, () => {
  describeEachServer(
    "the script of the protocol's page",
    (server) => {
      const runs: { readonly job: Envelope; readonly at: number }[] = [];
      let served: NodeOnServer;

      beforeAll(async () => {
        const job = defineJob({ name: "shell.hello", queue: QUEUE }).handler(({ job, input }) => {
          runs.push({ job, at: Date.now() });
          return { got: input };
        });
        served = await startNodeOnServer(server, { namespace: "millrace", jobs: [job] });
      });

      const shell = async (command: string, args: readonly string[]): Promise<string> => {
        if (chain.state === "missing") throw new Error(chain.reason);
        const path = [dirname(chain.program.command), process.env["PATH"] ?? ""].join(delimiter);
        const env = { ...process.env, NATS_URL: server.url, PATH: path };
        const { stdout, stderr } = await run(command, [...args], { env });
        return stdout + stderr;
      };
      const enqueue = (queue: string, job: object, id: string, header: readonly string[] = []) =>
        shell("sh", [
          SCRIPT,
          queue,
          id,
          JSON.stringify({ name: "shell.hello", ...job }),
          ...header,
        ]);
      /** By the header of its end. */
      const state = async (id: string): Promise<string | undefined> => {
        const subject = `millrace.history.${QUEUE}.${id}.ended`;
        const last = ["stream", "get", "millrace-history", "--last-for", subject];
        const said = await shell("nats", last).catch(String);
        return /Millrace-State: (\w+)/.exec(said)?.[1];
      };

      matrixCases(
        {
          async enqueue({ id, ...job }, { lane, headers = {} } = {}) {
            const header = Object.entries(headers).map(([name, value]) => `${name}:${value}`);
            const queue = lane === undefined ? QUEUE : `${QUEUE}.${lane}`;
            const said = await enqueue(queue, { id, ...job }, id, header);
            return { duplicate: /Duplicate: true/.test(said) };
          },
          result: async (id) => ({
            state: await eventually(() => state(id), {
              withinMs: 20_000,
              everyMs: 100,
              describe: `${id} has ended`,
            }),
          }),
        },
        {
          runsOf: (id) => runs.filter(({ job }) => job.id === id),
          isQueueEmpty: async () => (await served.broker.queues.snapshot(QUEUE)).oldestAgeMs === 0,
          records: (id) => served.broker.history.read({ id, queue: QUEUE }),
        },
      );

      it("tells a duplicate, leaves the payload as it is, and fails for a queue that is not there", async () => {
        const payload = { text: "{{ID}}" };
        expect(await enqueue(QUEUE, { payload }, "s1")).toMatch(
          /Stored in Stream: millrace-queue-shell Sequence: \d+/,
        );
        await eventually(async () => (await state("s1")) === "succeeded", {
          withinMs: 20_000,
          describe: "it has succeeded",
        });
        expect(await enqueue(QUEUE, { payload }, "s1")).toMatch(/Duplicate: true/);
        expect(runs.filter(({ job }) => job.id === "s1").map(({ job }) => job.payload)).toEqual([
          payload,
        ]);
        await expect(enqueue("nowhere", { payload }, "s2")).rejects.toMatchObject({ code: 1 });
      });
    },
    { undisturbed: "the nats command doesn't send again what a dying leader was asked" },
  );
});
