import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { defineJob } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";

const run = promisify(execFile);
const SCRIPT = join(import.meta.dirname, "producers", "shell", "enqueue.sh");
const version = await run("nats", ["--version"]).then(
  ({ stdout, stderr }) => `nats ${(stdout + stderr).trim()}`,
  () => undefined,
);

describe.skipIf(version === undefined)(version ?? "the nats command is not on the PATH", () => {
  describeEachServer("the script of the protocol's page", (server) => {
    it("enqueues, tells a duplicate, and the end can be read off the subject", async () => {
      const payloads: unknown[] = [];
      const job = defineJob({ name: "shell.hello", queue: "shell" });
      const { node } = await startNodeOnServer(server, {
        namespace: "millrace",
        jobs: [job.handler(({ input }) => void payloads.push(input))],
      });
      const settled = new Promise((resolve) => node.events.on("job.settled", resolve));
      const env = { ...process.env, NATS_URL: server.url };
      const body = JSON.stringify({ name: "shell.hello", payload: { text: "{{ID}}" } });
      const enqueue = async (queue: string): Promise<string> => {
        const { stdout, stderr } = await run("sh", [SCRIPT, queue, "s1", body], { env });
        return stdout + stderr;
      };

      expect(await enqueue("shell")).toMatch(/Stored in Stream: millrace-queue-shell Sequence: 1/);
      await settled;
      expect(await enqueue("shell")).toMatch(/Duplicate: true/);
      expect(payloads).toEqual([{ text: "{{ID}}" }]);
      const last = [
        "stream",
        "get",
        "millrace-history",
        "--last-for",
        "millrace.history.shell.s1.*",
      ];
      expect((await run("nats", last, { env })).stdout).toMatch(
        /millrace\.history\.shell\.s1\.succeeded/,
      );
      await expect(enqueue("nowhere")).rejects.toMatchObject({ code: 1 });
    });
  });
});
