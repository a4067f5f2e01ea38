// The whole shop: PostgreSQL, NATS, a server and a worker as processes of their own; from its
// sources; and as a user has it, with installed packages, compiled by tsc, and bundled by esbuild.
import { cp, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { connect } from "millrace";
import pg from "pg";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { findBrowser } from "../../test/harness/browser.ts";
import { cleanUpLater } from "../../test/harness/cleanup.ts";
import { startChild } from "../../test/harness/child.ts";
import { eventually } from "../../test/harness/deadline.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "../../test/harness/postgres.ts";
import { describeServer } from "../../test/harness/servers.ts";
import { installPackages } from "../../test/packaging/installed-packages.ts";
import { obtained } from "../../test/packaging/obtained-program.ts";
import { succeed } from "../../test/packaging/run-command.ts";
import type { StoredOrder } from "./store.ts";

const HERE = import.meta.dirname;
const ROOT = resolve(HERE, "../..");
const MINUTES = 5 * 60_000;
const PATIENCE = { withinMs: 60_000 };

const esbuild = await obtained("esbuild", "0.28.2");
const why = postgresMissing();
const browser = await findBrowser();

/** Somebody looks at the page, buys, and sees how the payment comes on. */
async function buyInBrowser(
  url: string,
  { launch }: Extract<typeof browser, { state: "present" }>,
): Promise<void> {
  const program = await launch();
  try {
    const page = await program.newPage();
    await page.goto(url);
    await page.getByText("Buy").click();
    await page.getByText("succeeded").waitFor({ timeout: 60_000 });
  } finally {
    await program.close();
  }
}

/** What the shop has beside Millrace, as the examples do. */
const { dependencies } = JSON.parse(readFileSync(join(ROOT, "examples/package.json"), "utf8")) as {
  readonly dependencies: Readonly<Record<string, string>>;
};
const OTHERS = ["fastify", "pg"].map((name) => `${name}@${dependencies[name]}`);

describeServer("the shop", "newest", (nats) => {
  let postgres: TestPostgres;
  let packages: string;
  beforeAll(async () => {
    if (why !== undefined) return;
    postgres = await startPostgres();
    const dir = await mkdtemp(join(tmpdir(), "millrace-installed-"));
    cleanUpLater(() => rm(dir, { recursive: true, force: true }));
    packages = await installPackages(dir, OTHERS);
  }, MINUTES);
  afterAll(() => postgres?.remove());

  /** A copy of the shop with installed packages, to be built. */
  async function project(): Promise<string> {
    const dir = await mkdtemp(join(tmpdir(), "millrace-shop-"));
    onTestFinished(() => rm(dir, { recursive: true, force: true }));
    for (const file of readdirSync(HERE).filter((name) => !name.endsWith(".test.ts")))
      await cp(join(HERE, file), join(dir, file));
    await symlink(packages, join(dir, "node_modules"));
    await writeFile(join(dir, "package.json"), JSON.stringify({ private: true, type: "module" }));
    return dir;
  }

  /** Opens the shop whose programs are there, in a database and a namespace of its own. */
  async function opened(programs: string, extension: "ts" | "js") {
    const namespace = nats.namespace();
    const database = namespace.replace(/\W/g, "_").toLowerCase();
    const first = new pg.Client(postgres.url);
    await first.connect();
    await first.query(`CREATE DATABASE ${database}`);
    await first.end();
    const url = postgres.url.replace(/\/postgres$/, `/${database}`);
    const env = {
      ...{ DATABASE_URL: url, PORT: "0", THANKS_AFTER_S: "1", MILLRACE_HEALTH_PORT: "0" },
      ...{ MILLRACE_SERVERS: nats.url, MILLRACE_NAMESPACE: namespace },
    };
    const server = startChild(join(programs, `server.${extension}`), { env });
    const open = await server.line(/^the shop is open at/, 90_000);
    const worker = startChild(join(programs, `worker.${extension}`), { env });
    await worker.line(/^the worker runs/, 90_000);
    const pool = new pg.Pool({ connectionString: url });
    const millrace = await connect({ servers: nats.url, namespace, env: {} });
    const base = open.slice("the shop is open at ".length);
    const order = async (id: string): Promise<StoredOrder> =>
      (await (await fetch(`${base}/orders/${id}`)).json()) as StoredOrder;
    return {
      ...{ base, pool, millrace, order },
      buy: (id: string, cents: number, customer = "ada") =>
        fetch(`${base}/orders`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ id, customer, cents }),
        }),
      /** Waits until the order is so. */
      becomes: (id: string, state: string) =>
        eventually(async () => (await order(id)).state === state, {
          ...PATIENCE,
          describe: () => `${id} is ${state}; the worker said\n${worker.output().join("\n")}`,
        }),
      async close() {
        for (const child of [worker, server]) {
          child.signal("SIGTERM");
          expect(await child.exit(90_000), child.output().join("\n")).toMatchObject({ code: 0 });
        }
        await millrace.close();
        await pool.end();
      },
    };
  }

  /** A day in the shop, in a minute. */
  async function whole(shop: Awaited<ReturnType<typeof opened>>): Promise<void> {
    const { base, buy, becomes, millrace, order, pool } = shop;
    expect(await (await fetch(base)).text()).toContain("<title>Shop</title>");

    // What the database refuses leaves no job.
    expect((await buy("free", 0)).status).toBe(500);
    // The bank fails once; the customer is thanked later, and has an invoice.
    expect((await buy("o1", 4_200)).status).toBe(202);
    const events = await (await fetch(`${base}/orders/o1/progress`)).text();
    expect(events).toMatch(/^event: (progress|end)$/m);
    expect(events).toContain(`event: end\ndata: {"state":"succeeded"}`);
    await becomes("o1", "paid");
    await eventually(async () => (await order("o1")).invoice !== null, {
      ...PATIENCE,
      describe: "the invoice is made",
    });
    expect((await order("o1")).invoice).toBe("Invoice for order o1\nTo ada\n42.00 EUR");

    // One that waits for a person at the bank keeps the next one of the same customer waiting …
    await buy("large", 500_000, "eve");
    await buy("small", 100, "eve");
    await eventually(async () => (await millrace.queues.snapshot("shop")).blocked === 1, {
      ...PATIENCE,
      describe: "the customer's second charge is blocked",
    });
    expect((await fetch(`${base}/orders/large`, { method: "DELETE" })).status).toBe(202);
    await becomes("large", "cancelled");
    await becomes("small", "paid");
    // … and nobody else.
    await buy("refused", 9_999_999, "bob");
    await becomes("refused", "unpaid");

    const { id } = await millrace.cron.run("shop-nightly");
    await millrace.handle(id, "shop-mail").result({ timeout: "60s" });
    expect((await pool.query("SELECT orders, cents FROM reports")).rows).toEqual([
      { orders: 2, cents: 4_300 },
    ]);
    const mails = `SELECT "order", text FROM mails ORDER BY 1`;
    await eventually(async () => (await pool.query(mails)).rowCount === 3, {
      ...PATIENCE,
      describe: "the mails are sent",
    });
    expect((await pool.query(mails)).rows).toEqual([
      { order: "o1", text: "Thank you!" },
      { order: "refused", text: "Your payment failed: the card's limit is exceeded" },
      { order: "small", text: "Thank you!" },
    ]);
    expect((await millrace.dead.list()).map(({ name, reason }) => [name, reason])).toEqual([
      ["shop.charge", "fatal"],
    ]);
    await shop.close();
  }

  test.skipIf(why !== undefined)(
    `from its sources${why === undefined ? "" : ` (${why})`}`,
    async () => whole(await opened(HERE, "ts")),
    MINUTES,
  );

  const noBrowser = browser.state === "missing" ? ` (${browser.reason})` : "";
  test.skipIf(why !== undefined || noBrowser !== "")(
    `in a browser, which shows how a payment comes on${noBrowser}`,
    async () => {
      const shop = await opened(HERE, "ts");
      if (browser.state === "present") await buyInBrowser(shop.base, browser);
      await shop.close();
    },
    MINUTES,
  );

  test.skipIf(why !== undefined)(
    "compiled by tsc",
    async () => {
      const dir = await project();
      const files = readdirSync(dir).filter((name) => name.endsWith(".ts"));
      const flags = ["--module", "nodenext", "--target", "es2024", "--noCheck", "--noResolve"];
      const rewriting = ["--outDir", "dist", "--rewriteRelativeImportExtensions"];
      await succeed([join(ROOT, "node_modules/.bin/tsc"), ...files, ...rewriting, ...flags], dir);
      await cp(join(dir, "page.html"), join(dir, "dist/page.html"));
      await whole(await opened(join(dir, "dist"), "js"));
    },
    MINUTES,
  );

  test.skipIf(why !== undefined || esbuild.why !== "")(
    `bundled by esbuild${esbuild.why}`,
    async () => {
      const dir = await project();
      // The thread's file is an entry of its own, which splitting shares with the worker.
      const entries = ["server.ts", "worker.ts", "invoice.ts"];
      const flags = ["--bundle", "--splitting", "--packages=external", "--platform=node"];
      const output = ["--format=esm", "--outdir=dist", "--log-level=error"];
      await succeed([esbuild.path, ...entries, ...flags, ...output], dir);
      await cp(join(dir, "page.html"), join(dir, "dist/page.html"));
      await whole(await opened(join(dir, "dist"), "js"));
    },
    MINUTES,
  );
});
