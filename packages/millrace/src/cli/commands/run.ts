import { MillraceError } from "@millrace/core";
import { loadJobs, loadMachines, loadSchedules } from "../../node/load-jobs.ts";
import { command } from "../command.ts";
import { exitOnSignals } from "../early-signals.ts";
import { EXIT } from "../exit-codes.ts";
import { serving, startServing } from "../serve.ts";

export const run = command({
  name: "run",
  summary:
    "Run a node with the jobs that these files export, until SIGTERM or SIGINT (a second one ends it at once)",
  usage: "[FILE…]",
  args: { min: 0, max: 10_000 },
  flags: {},
  fields: ["connection", "namespace", "masking", "node", "health", "records", "outbox"],
  examples: [
    [
      "millrace run jobs/mail.ts jobs/images.ts --queues mail:10,images:2",
      "Two job files, slots by queue",
    ],
    [
      "MILLRACE_JOBS=dist/jobs.js MILLRACE_SERVERS=nats://nats:4222 millrace run",
      "As a container is configured",
    ],
  ],
  async run({ args, config, json, io }) {
    const files = args.length > 0 ? args : (config.jobs ?? []);
    if (files.length === 0)
      throw new MillraceError(
        "no-jobs",
        "Name at least one job file: millrace run jobs.ts (or set MILLRACE_JOBS).",
      );
    const forget = exitOnSignals();
    const served = {
      jobs: await loadJobs(files, io.cwd),
      schedules: await loadSchedules(files, io.cwd),
      machines: await loadMachines(files, io.cwd),
    };
    const running = await startServing(config, served, io, forget);
    const about = serving(running, config, served);
    // A signal may have come before there was a server.
    if (running.node.state !== "running") {
      await running.stopped;
      return EXIT.ok;
    }
    io.out(
      json
        ? `${JSON.stringify(about)}\n`
        : `${io.paint("green", "running")} ${[...about.jobs, ...about.machines].join(", ")} on ${about.queues.join(", ")} as ${about.node}; health at ${about.healthUrl}/readyz\n`,
    );
    await running.stopped;
    return EXIT.ok;
  },
});
