import { MillraceError } from "@millrace/core";
import type { Config } from "../../config/fields.ts";
import { loadJobs, loadMachines, loadSchedules } from "../../node/load-jobs.ts";
import { command } from "../command.ts";
import { exitOnSignals } from "../serving/early-signals.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { type GroupMember, groupMember } from "../processes/group-member.ts";
import { runningText, serving, startServing } from "../serving/serve.ts";

export const run = command({
  name: "run",
  summary:
    "Run a node with the jobs that these files export, until SIGTERM or SIGINT (a second one ends it at once)",
  usage: "[FILE…]",
  args: { min: 0, max: 10_000 },
  serves: true,
  flags: {},
  fields: [
    "connection",
    "namespace",
    "masking",
    "node",
    "health",
    "processes",
    "records",
    "outbox",
  ],
  examples: [
    [
      "millrace run jobs/mail.ts jobs/images.ts --queues mail:10,images:2",
      "Two job files, slots by queue",
    ],
    [
      "MILLRACE_JOBS=dist/jobs.js MILLRACE_SERVERS=nats://nats:4222 millrace run",
      "As a container is configured",
    ],
    ["millrace run jobs.ts --processes 4", "Four processes, with one health port"],
  ],
  async run({ args, config, json, io }) {
    const files = args.length > 0 ? args : (config.jobs ?? []);
    if (files.length === 0)
      throw new MillraceError(
        "no-jobs",
        "Name at least one job file: millrace run jobs.ts (or set MILLRACE_JOBS).",
      );
    const member = groupMember(io.env);
    if (member === undefined && config.processes > 1)
      return (await import("../processes/run-group.ts")).runGroup(config, { json, io });
    const forget = exitOnSignals();
    const served = {
      jobs: await loadJobs(files, io.cwd),
      schedules: await loadSchedules(files, io.cwd),
      machines: await loadMachines(files, io.cwd),
    };
    const own = member === undefined ? config : memberConfig(config, member);
    const running = await startServing(own, served, io, {
      onNode: forget,
      onListening: member && ((url) => member.tell({ kind: "listening", url })),
    });
    const about = serving(running, own, served);
    const ended = async (): Promise<ExitCode> => {
      await running.stopped;
      member?.tell({ kind: "stopped" });
      return EXIT.ok;
    };
    // A signal may have come before there was a server.
    if (running.node.state !== "running") return ended();
    if (member !== undefined) member.tell({ kind: "serving", about });
    else
      io.out(
        json ? `${JSON.stringify(about)}\n` : runningText(about, `as ${about.node}`, io.paint),
      );
    return ended();
  },
});

/** Its health port is asked by its group alone. */
function memberConfig(config: Config, { number }: GroupMember): Config {
  const { nodeName } = config;
  return {
    ...config,
    ...(nodeName === undefined ? {} : { nodeName: `${nodeName}-${number}` }),
    ...{ healthPort: 0, healthHost: "127.0.0.1" },
  };
}
