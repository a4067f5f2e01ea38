// Next itself, built and started in a project that has Millrace from its packed packages.
import { copyFile, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { findFreePort } from "@millrace/nats-server";
import { connect } from "millrace";
import { expect, onTestFinished, test } from "vitest";
import { describeServer } from "../harness/servers.ts";
import { installPackages } from "../packaging/installed-packages.ts";
import { runCommand, succeed } from "../packaging/run-command.ts";
import { startProgram } from "../runtimes/program.ts";
import { servesBelow } from "./mounted.ts";

const GUIDES = join(import.meta.dirname, "../../examples/guides");
const NEXT = "next@16.4.6";
/** Next checks a project's types with the compiler that was before the one of this repository. */
const BESIDE = ["react@19.3.1", "react-dom@19.3.1", "zod@4.6.7", "typescript@5.9.3"];
const TYPES = ["@types/node@24.19.2", "@types/react@19.3.3"];
const MINUTES = 10 * 60_000;

const asked = await runCommand(["npm", "view", NEXT, "version"], tmpdir());
const why = asked.code === 0 ? "" : ` (the registry does not bring ${NEXT} here)`;

const FILES: Readonly<Record<string, string>> = {
  "package.json": '{ "private": true, "type": "module" }',
  "next.config.mjs": 'export default { serverExternalPackages: ["millrace"] };',
  // As the guides' examples name their files.
  "tsconfig.json": '{ "compilerOptions": { "allowImportingTsExtensions": true, "strict": true } }',
  "app/layout.tsx": `import type { ReactNode } from "react";
    export default function Layout({ children }: { readonly children: ReactNode }) {
      return <html lang="en"><body>{children}</body></html>;
    }`,
  "app/page.tsx": "export default function Page() { return <p>the application</p>; }",
};
const COPIED: Readonly<Record<string, string>> = {
  "dashboard-in-next.ts": "app/admin/jobs/[[...path]]/route.ts",
  "with-next.ts": "app/invoices/route.ts",
  "invoice.ts": "app/invoices/invoice.ts",
};

async function application(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "millrace-next-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const packages = await installPackages(dir, [NEXT, ...BESIDE, ...TYPES]);
  const app = join(dir, "app");
  for (const [file, text] of Object.entries(FILES)) {
    await mkdir(dirname(join(app, file)), { recursive: true });
    await writeFile(join(app, file), text);
  }
  for (const [guide, file] of Object.entries(COPIED)) {
    await mkdir(dirname(join(app, file)), { recursive: true });
    await copyFile(join(GUIDES, guide), join(app, file));
  }
  // Its compiler takes no packages by a link out of the project.
  await rename(packages, join(app, "node_modules"));
  return app;
}

describeServer("Next", "newest", (server) => {
  test.skipIf(why !== "")(
    `builds without a server, then serves the dashboard and enqueues as its guides say${why}`,
    async () => {
      const app = await application();
      const next = [process.execPath, "node_modules/next/dist/bin/next"];
      const quiet = { NEXT_TELEMETRY_DISABLED: "1" };
      const built = await succeed([...next, "build"], app, quiet, MINUTES);
      expect(built).toContain("/admin/jobs/[[...path]]");
      const namespace = server.namespace();
      const millrace = await connect({ servers: server.url, namespace, env: {} });
      onTestFinished(() => millrace.close());
      for (const queue of ["mail", "invoices"]) await millrace.queues.ensure(queue);
      const port = await findFreePort();
      const started = startProgram([...next, "start", "-H", "127.0.0.1", "-p", String(port)], {
        cwd: app,
        env: { ...quiet, MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: namespace },
      });
      await started.says("Ready in");
      const origin = `http://127.0.0.1:${port}`;
      expect(await (await fetch(origin)).text()).toContain("the application");
      await servesBelow(`${origin}/admin/jobs`, millrace.queues);
      const made = await fetch(`${origin}/invoices`, {
        method: "POST",
        body: JSON.stringify({ order: "o-1", cents: 100 }),
      });
      expect({ status: made.status, body: await made.json() }).toEqual({
        ...{ status: 202, body: { id: "invoice-o-1" } },
      });
      expect(await millrace.job("invoice-o-1")).toMatchObject({ queue: "invoices" });
      await started.end();
    },
    MINUTES,
  );
});
