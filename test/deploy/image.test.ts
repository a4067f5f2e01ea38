import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findFreePort } from "@millrace/nats-server";
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from "vitest";
import { connect } from "millrace";
import { millraceHere } from "../cli/millrace.ts";
import { eventually } from "../harness/deadline.ts";
import { describeServer } from "../harness/servers.ts";
import {
  baseImages,
  baseOf,
  buildImage,
  buildMillrace,
  type BuiltImage,
  type Container,
  findBuilder,
  startContainer,
} from "./builder.ts";
import { IMAGE_MB } from "./image-budget.ts";
import { runProgram } from "./program.ts";

/** What a node with nothing to do may take of its own; Node's file is the kernel's to keep. */
const IDLE_MB = 100;
const JOBS = join(import.meta.dirname, "jobs");
const builder = findBuilder();

/** Its start leaves garbage, so it may have to be asked again. */
async function isSmall(container: Container): Promise<boolean> {
  const status = await container.exec("cat", "/proc/1/status");
  const mb = (field: string) =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) / 1_024;
  const own = mb("RssAnon") + mb("RssShmem");
  console.log(`idle: ${own.toFixed(1)} MB of its own, ${mb("VmRSS").toFixed(1)} MB resident`);
  return own <= IDLE_MB;
}

const TITLE = "deploy/Containerfile";

if (builder.state === "missing") {
  // The reason is the title: that is where the summary of skipped tests reads it.
  test.skip(`${TITLE}: ${builder.reason}`, () => {});
} else if (inject("serversUnderTest").some(({ state }) => state === "present")) {
  const { tools } = builder;
  describeServer(TITLE, "newest", (server) => {
    let image: BuiltImage | undefined;
    let noBase: string | undefined;
    beforeAll(async () => {
      const base = await baseImages(tools);
      if (base.state === "missing") noBase = base.reason;
      else image = await buildMillrace(tools, base.flags);
    }, 1_500_000);
    afterAll(async () => {
      await image?.dispose();
    }, 180_000);

    const built = (skip: (note: string) => never): string => image?.name ?? skip(noBase ?? "");

    /** A running node, and the command line of an operator on this machine. */
    async function startNode(name: string, more: { mount?: boolean; grace?: string } = {}) {
      const port = await findFreePort();
      const env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: server.namespace() };
      const container = await startContainer(tools, name, {
        env: {
          ...env,
          MILLRACE_HEALTH_PORT: String(port),
          MILLRACE_GRACE: more.grace ?? "20s",
        },
        ...(more.mount === true ? { mount: { from: JOBS, to: "/app/jobs" } } : {}),
      });
      onTestFinished(() => container.dispose());
      await eventually(async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).ok, {
        withinMs: 30_000,
        describe: "a node in a container that is ready",
      });
      const operator = async (...args: string[]) => {
        const { code, json, out, err } = await millraceHere([...args, "--json"], { env });
        expect(code, `${out}${err}`).toBe(0);
        return json<Record<string, unknown>>();
      };
      const started = () =>
        eventually(async () => (await container.logs()).includes("slow has started"), {
          withinMs: 20_000,
          describe: "the slow job's first line",
        });
      return { container, operator, started };
    }

    test("labels, user, health check, and nothing of the build inside", async ({ skip }) => {
      const name = built(skip);
      const [about] = JSON.parse(
        await runProgram(tools.podman, ["image", "inspect", name], { timeoutMs: 30_000 }),
      ) as [{ Config: Record<string, unknown>; Labels: object; User: string; Healthcheck: object }];
      expect(about.Labels).toMatchObject({
        "org.opencontainers.image.title": "millrace",
        "org.opencontainers.image.version": "1.2.3-test",
        "org.opencontainers.image.licenses": "Apache-2.0",
      });
      expect(about.User).toBe("65532:65532");
      expect(about.Config).toMatchObject({ Entrypoint: ["millrace"], Cmd: ["run"] });
      expect(about.Healthcheck).toMatchObject({
        Test: ["CMD", "millrace", "healthcheck", "--probe", "live", "--timeout", "4s"],
      });

      const root = (
        await runProgram(tools.podman, ["image", "mount", name], { timeoutMs: 30_000 })
      ).trim();
      onTestFinished(async () => {
        await runProgram(tools.podman, ["image", "unmount", name], { timeoutMs: 30_000 });
      });
      const found = await runProgram(
        "find",
        [
          ...[`${root}/app`, `${root}/usr/local`, `${root}/usr/bin`],
          ...["-name", "npm", "-o", "-name", "npx", "-o", "-name", "pnpm*", "-o", "-name", "tsc"],
          ...["-o", "-name", "typescript", "-o", "-name", "vitest", "-o", "-name", "gcc"],
          ...["-o", "-name", "*.tgz", "-o", "-name", ".package-lock.json", "-o", "-name", "src"],
        ],
        { timeoutMs: 30_000 },
      );
      // Some packages publish their sources; ours don't, and nothing of the others may be here.
      expect(found.split("\n").filter((path) => path !== "" && !path.endsWith("/src"))).toEqual([]);
      expect(found).not.toContain("millrace/src");
      const sbom = JSON.parse(await readFile(`${root}/app/sbom.cdx.json`, "utf8")) as {
        readonly components: readonly { readonly name: string }[];
      };
      expect(sbom.components.map(({ name }) => name)).toEqual(
        expect.arrayContaining(["node", "millrace", "pino", "pg"]),
      );
    }, 180_000);

    test("is at most 200 MB, on Debian as its slim image is made", async ({ skip }) => {
      const name = built(skip);
      // What the files hold, as Docker counts; Podman counts the archive around them too.
      const podman = (...args: string[]) => runProgram(tools.podman, args, { timeoutMs: 60_000 });
      const mb = async (of: string): Promise<number> => {
        const root = (await podman("image", "mount", of)).trim();
        onTestFinished(async () => void (await podman("image", "unmount", of)));
        const files = await runProgram("find", [root, "-type", "f", "-printf", "%D:%i %s\n"], {
          timeoutMs: 60_000,
        });
        // A file of two names is there once.
        const sizes = new Map(files.split("\n").map((line) => line.split(" ") as [string, string]));
        return [...sizes.values()].reduce((sum, size = "0") => sum + Number(size), 0) / 1e6;
      };
      const [whole, below] = [await mb(name), await mb(await baseOf())];
      console.log(`the image: ${whole.toFixed(1)} MB, of which its base ${below.toFixed(1)} MB`);
      expect(whole).toBeLessThanOrEqual(IMAGE_MB);
    });

    test("a mounted folder of jobs, a root that can't be written, no rights; then a drain", async ({
      skip,
    }) => {
      const { container, operator, started } = await startNode(built(skip), { mount: true });
      await container.exec("millrace", "healthcheck", "--probe", "live", "--timeout", "4s");
      await eventually(() => isSmall(container), {
        withinMs: 60_000,
        describe: `a node with nothing to do that takes at most ${IDLE_MB} MB`,
      });

      await operator("enqueue", "look", "--queue", "work", "--id", "l1");
      const result = await eventually(
        async () => (await operator("jobs", "get", "l1"))["result"] as object | undefined,
        { withinMs: 20_000, describe: "the result of a job in a container" },
      );
      expect(result).toEqual({
        pid: 1,
        uid: 65532,
        gid: 65532,
        written: {
          "/": "EROFS",
          "/app": "EROFS",
          "/app/jobs": "EROFS",
          "/usr/local/bin": "EROFS",
          "/tmp": "yes",
        },
      });

      await operator("enqueue", "slow", '{"ms":2000}', "--queue", "work", "--id", "s1");
      await started();
      expect(await container.stop(30)).toBe(0);
      expect(await operator("jobs", "get", "s1")).toMatchObject({
        state: "succeeded",
        attempts: 1,
        result: "slept",
      });
    }, 180_000);

    test("its dashboard: it says who may come before it serves there, serves its page, and ends at once", async ({
      skip,
    }) => {
      const name = built(skip);
      const folder = await mkdtemp(join(tmpdir(), "millrace-users-"));
      onTestFinished(() => rm(folder, { recursive: true }));
      const users = join(folder, "users");
      await writeFile(users, "ada:operator:correct-horse-battery\n");
      const port = await findFreePort();
      const connection = { servers: server.url, namespace: server.namespace() };
      const ui = async (more: object) => {
        const container = await startContainer(tools, name, {
          command: ["ui", "--json"],
          env: {
            ...{ MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: connection.namespace },
            ...{ MILLRACE_UI_PORT: String(port), ...more },
          },
          mount: { from: users, to: "/run/secrets/users" },
        });
        onTestFinished(() => container.dispose());
        return container;
      };
      const unprotected = await ui({});
      await eventually(async () => (await unprotected.logs()).includes("dashboard-unprotected"), {
        ...{ withinMs: 60_000, describe: "a dashboard without accounts that does not start" },
      });

      const client = await connect({ ...connection, env: {} });
      onTestFinished(() => client.close());
      await client.queues.ensure("mail");
      const container = await ui({ MILLRACE_UI_USERS_FILE: "/run/secrets/users" });
      const headers = { authorization: "Bearer correct-horse-battery" };
      const get = (path: string, by: object = { headers }): Promise<Response> =>
        fetch(`http://127.0.0.1:${port}/${path}`, by);
      await eventually(async () => (await get("")).ok, {
        ...{ withinMs: 60_000, describe: "a dashboard in a container that serves its page" },
      });
      expect((await get("", {})).status).toBe(401);
      const page = await (await get("")).text();
      const assets = [...page.matchAll(/(?:src|href)="(assets\/[^"]+)"/g)].map(([, to]) => to);
      expect(assets).not.toEqual([]);
      for (const asset of assets) expect((await get(asset ?? "")).status).toBe(200);
      expect(await (await get("api/overview")).json()).toMatchObject({
        ...{ connected: true, queues: [{ queue: "mail" }] },
      });
      expect(await container.stop(30)).toBe(0);
    }, 180_000);

    test("an image built FROM it; what outlasts the grace is handed back unspent", async ({
      skip,
    }) => {
      const from = built(skip);
      const folder = await mkdtemp(join(tmpdir(), "millrace-from-"));
      onTestFinished(() => rm(folder, { recursive: true }));
      await writeFile(
        join(folder, "Containerfile"),
        `FROM ${from}\nCOPY --chown=0:0 . /app/jobs/\n`,
      );
      const derived = await buildImage(tools, join(folder, "Containerfile"), JOBS, []);
      onTestFinished(() => derived.dispose());

      const { container, operator, started } = await startNode(derived.name, { grace: "2s" });
      await operator("enqueue", "slow", '{"ms":60000}', "--queue", "work", "--id", "s1");
      await started();
      expect(await container.stop(30)).toBe(0);
      expect(await operator("jobs", "get", "s1")).toMatchObject({ state: "queued", attempts: 0 });
    }, 180_000);
  });
}
