import { createServer } from "node:net";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { LaunchedServer } from "@millrace/nats-server";
import { type AnyJob, MillraceError } from "@millrace/core";
import { type Config, type FieldKey, FIELDS } from "../../config/fields.ts";
import { readConfig } from "../../config/read-config.ts";
import { text, whole } from "../../config/field-kinds.ts";
import { loadJobs, loadMachines, loadSchedules } from "../../node/load-jobs.ts";
import { command } from "../command.ts";
import { exitOnSignals } from "../serving/early-signals.ts";
import { EXIT } from "../exit-codes.ts";
import { hello } from "../hello-job.ts";
import type { CliIo, Paint } from "../io.ts";
import { type Serving, serving, startServing } from "../serving/serve.ts";
import { serveUi } from "../serving/serve-ui.ts";

const USUAL_PORT = 4222;
const LOCAL = "127.0.0.1";
const OWN_DIR = ".millrace";

export const dev = command({
  name: "dev",
  summary:
    "Start a private nats-server and a node with these job files (or a job called hello) on this machine",
  usage: "[FILE…]",
  args: { min: 0, max: 10_000 },
  serves: true,
  flags: {
    port: {
      kind: whole(0, 65_535),
      about: `Port of the server; 0: any free one (default ${USUAL_PORT}, or a free one where that is taken)`,
    },
    dir: {
      kind: { ...text, placeholder: "<dir>" },
      about: "Where the server and its data are kept (default .millrace)",
    },
  },
  fields: [
    "namespace",
    "masking",
    "node",
    "health",
    "records",
    "outbox",
    "index",
    "dashboard",
    "tracing",
  ],
  examples: [
    ["millrace dev", "A server and a node with the job hello"],
    ["millrace dev jobs.ts --port 4333", "With your own jobs"],
  ],
  async run({ args, flags, config: given, json, io }) {
    const forget = exitOnSignals();
    const files = args.length > 0 ? args : given.jobs;
    const jobs: readonly AnyJob[] = files === undefined ? [hello] : await loadJobs(files, io.cwd);
    const served = {
      jobs,
      schedules: await loadSchedules(files ?? [], io.cwd),
      machines: await loadMachines(files ?? [], io.cwd),
    };
    const dir = resolve(io.cwd, flags.dir ?? OWN_DIR);
    await keepOutOfGit(dir, flags.dir === undefined);
    await using server = await startServer(dir, flags.port, io.env, (line) => io.err(`${line}\n`));
    const config = await withFreeHealthPort(ownServer(given, server.url), io);
    const running = await startServing(config, served, io, { onNode: forget });
    await using dashboard = await serveUi(config, io, { takesAnyPort: true });
    const about = { ...serving(running, config, served), dashboardUrl: dashboard.url };
    io.out(
      json ? `${JSON.stringify({ ...about, store: dir })}\n` : welcome(about, jobs, dir, io.paint),
    );
    // A server that ends by itself takes the point of this command with it.
    const outcome = await Promise.race([
      running.stopped.then(() => "stopped" as const),
      server.exited.then(() => "server ended" as const),
    ]);
    if (outcome === "stopped") return EXIT.ok;
    io.err(`the nats-server ended by itself:\n${server.log.lines().slice(-10).join("\n")}\n`);
    await running.stop({ immediate: true });
    return EXIT.failed;
  },
});

/** The private server takes no credentials, whatever the environment holds for others. */
function ownServer(given: Config, url: string): Config {
  const own = Object.entries(given).filter(
    ([key]) => FIELDS[key as FieldKey].group !== "connection",
  );
  return readConfig({
    given: { values: { ...Object.fromEntries(own), servers: [url] }, label: (key) => key },
  });
}

/**
 * A node on the same machine may have the usual one. In production that is an error, as something
 * asks at that port.
 */
async function withFreeHealthPort(config: Config, io: Pick<CliIo, "err">): Promise<Config> {
  const { healthPort, healthHost } = config;
  if (healthPort === 0 || (await isFree(healthPort, healthHost))) return config;
  io.err(`port ${healthPort} is taken: health and metrics are answered at another one\n`);
  return { ...config, healthPort: 0 };
}

async function startServer(
  dir: string,
  port: number | undefined,
  env: Readonly<Record<string, string | undefined>>,
  onProgress: (line: string) => void,
): Promise<LaunchedServer> {
  const { launchServer, obtainServer, storeOwner } = await import("@millrace/nats-server");
  const storeDir = join(dir, "nats");
  // Who runs it twice is told of the first one.
  if (port !== undefined && port !== 0 && (await storeOwner(storeDir)) === undefined)
    await requireFree(port);
  const { path } = await obtainServer({ cacheDir: join(dir, "bin"), env, onProgress });
  const free = port ?? ((await isFree(USUAL_PORT, LOCAL)) ? USUAL_PORT : 0);
  try {
    return await launchServer({ path, storeDir, port: free, name: "millrace-dev" });
  } catch (error) {
    const url = MillraceError.is(error, "store-in-use") ? await storeOwner(storeDir) : undefined;
    if (url === undefined) throw error;
    throw new MillraceError(
      "store-in-use",
      `A dev server of ${dir} runs at ${url}. Run a job file beside it (millrace run FILE --server ${url}), stop it first, or choose another --dir.`,
      { cause: error },
    );
  }
}

/**
 * Of the usual directory, and of one that is made now: in another may be more than the server's.
 * What somebody has written there stays.
 */
async function keepOutOfGit(dir: string, isUsual: boolean): Promise<void> {
  const made = await mkdir(dir, { recursive: true });
  if (made === undefined && !isUsual) return;
  try {
    await writeFile(join(dir, ".gitignore"), "# The server and its data: nothing to commit.\n*\n", {
      flag: "wx",
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

/** The server itself would say so below all that it logs while it starts. */
async function requireFree(port: number): Promise<void> {
  if (await isFree(port, LOCAL)) return;
  throw new MillraceError(
    "invalid-option",
    `--port: ${port} of ${LOCAL} can't be used: something else may have it. Choose another, 0 for any that is free, or leave it out.`,
  );
}

async function isFree(port: number, host: string | undefined): Promise<boolean> {
  const probe = createServer();
  try {
    probe.listen(port, host);
    await once(probe, "listening");
    return true;
  } catch {
    // Whatever keeps us from listening keeps the server from it too.
    return false;
  } finally {
    probe.close();
  }
}

type DevServing = Serving & { readonly dashboardUrl: string };

function welcome(
  { servers, namespace, queues, healthUrl, dashboardUrl }: DevServing,
  jobs: readonly AnyJob[],
  dir: string,
  paint: Paint,
): string {
  const [job] = jobs;
  const name = job?.name ?? "hello";
  const queue = job?.queue ?? "default";
  const server = servers[0] ?? "";
  const flags = [
    ...(server.endsWith(`:${USUAL_PORT}`) ? [] : [`--server ${server}`]),
    ...(namespace === "millrace" ? [] : [`--namespace ${namespace}`]),
  ];
  const payload = job === hello ? `'{"name":"Ada"}'` : "'{}'";
  return [
    paint("green", "ready"),
    `  server   ${paint("bold", server)}  (data in ${dir})`,
    `  look     ${paint("bold", dashboardUrl)}  (queues, jobs, errors; in a browser)`,
    `  health   ${healthUrl}/readyz, /livez, /metrics`,
    `  jobs     ${jobs.map((one) => one.name).join(", ")}  on ${queues.join(", ")}`,
    "",
    "Publish with the command, or with any NATS client:",
    `  ${["npx millrace enqueue", name, payload, `--queue ${queue}`, ...flags].join(" ")}`,
    `  nats --server ${server} pub ${namespace}.jobs.${queue} '{"name":"${name}","payload":{}}'`,
    "",
    "Ctrl-C stops it; a second one at once.",
    "",
  ].join("\n");
}
