import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { connect } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { millraceHere } from "../../test/cli/millrace.ts";
import { startChild, type TestChild } from "../../test/harness/child.ts";
import { outOfCluster } from "../../test/harness/cluster/out-of-cluster.ts";
import { eventually } from "../../test/harness/deadline.ts";
import { describeServer } from "../../test/harness/servers.ts";

const MAIN = join(import.meta.dirname, "main.ts");
const ROOT = join(import.meta.dirname, "../..");
const DEADLINE_MS = 60_000;

describeServer("the main job", "newest", () => {
  const start = (...args: string[]): TestChild => startChild(MAIN, { args, cwd: ROOT });

  test(
    "runs to its end: a crash survived, one dead letter, every digest right",
    async () => {
      outOfCluster();
      const main = start();
      expect(await main.exit(DEADLINE_MS)).toEqual({ code: 0, signal: null });
      const lines = main.output();
      const value = (label: string): string =>
        lines
          .find((line) => line.startsWith(`  ${label}  `))
          ?.slice(label.length + 2)
          .trim() ?? "";

      const jobs = Number(value("jobs"));
      expect(jobs).toBeGreaterThan(400);
      expect(Number(value("attempts"))).toBe(jobs + 2);
      expect(Number(value("bytes").replaceAll(",", ""))).toBeGreaterThan(1_000_000);
      expect(Number.parseFloat(value("jobs per second"))).toBeGreaterThan(0);
      expect(value("dead letters")).toBe("1");
      expect(lines).toContainEqual(
        expect.stringMatching(
          /attempts-exhausted after 3 attempts: ENOENT: .*'node_modules.*no-such-file\.ts'$/,
        ),
      );
      expect(lines).toContainEqual(
        expect.stringMatching(
          /^ {2}crash survived +node-1 killed .*the [1-9]\d* jobs it left unacknowledged delivered to node-2$/,
        ),
      );
      expect(lines).toContain(
        `${jobs - 1} digests checked against an independent computation: all equal`,
      );
      expect(lines).toContain(`  ${jobs}/${jobs} jobs`);
      expect(lines.join("\n")).not.toContain("\r");
      expect(lines.join("\n")).not.toContain(ROOT);
    },
    DEADLINE_MS,
  );

  test(
    "with --keep, what it says to publish works, and SIGTERM ends it with 0",
    async () => {
      outOfCluster();
      const main = start("--keep");
      await main.line(/nats pub/, DEADLINE_MS);
      const said = main.output().join("\n");

      const urls = [...said.matchAll(/http:\S+/g)].map(([url]) => url);
      const pages = await Promise.all(urls.map(async (url) => (await fetch(url)).text()));
      expect(pages[0]).toContain("ready");
      expect(pages[1]).toContain("millrace_jobs_succeeded_total");
      expect(pages[2]).toContain('<div id="root">');

      const [, command] = /npx millrace (enqueue .+)/.exec(said) ?? [];
      // As a shell would take it apart: one argument a line.
      const args = spawnSync("sh", ["-c", `printf '%s\\n' ${command}`], { encoding: "utf8" });
      const enqueue = await millraceHere([...args.stdout.trim().split("\n"), "--json"]);
      const { id } = enqueue.json<{ id: string }>();

      const [, server, subject, body] = /nats pub --server (\S+) (\S+) '(.+)'/.exec(said) ?? [];
      const client = await connect({ servers: server as string });
      const watch = client.subscribe("demo.history.digest.*.ended", { max: 1 });
      await client.request(subject as string, body);
      for await (const message of watch) expect(message.subject).toContain("ended");
      await client.close();

      const where = ["--server", server as string, "--namespace", "demo", "--json"];
      await eventually(
        async () => (await millraceHere(["jobs", "get", id, ...where])).out.includes('"sha256"'),
        { withinMs: 20_000, describe: "the published job has succeeded" },
      );

      main.signal("SIGTERM");
      expect(await main.exit(90_000)).toEqual({ code: 0, signal: null });
    },
    DEADLINE_MS,
  );
});
