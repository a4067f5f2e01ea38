import type { AnyJob, MachineDefinition, Schedule } from "@millrace/core";
import { stopOnSignals, tuneEngine } from "@millrace/runtime";
import type { Config } from "../../config/fields.ts";
import { withoutUser } from "../../node/early-node.ts";
import type { RunningNode } from "../../node/run-node.ts";
import type { CliIo, Paint } from "../io.ts";
import { releaseStart } from "./release-start.ts";

/** What a long-running command says once it serves. */
export interface Serving {
  readonly node: string;
  readonly servers: readonly string[];
  readonly namespace: string;
  readonly queues: readonly string[];
  readonly jobs: readonly string[];
  readonly schedules: readonly string[];
  readonly machines: readonly string[];
  readonly healthUrl: string;
}

/** What job files export. */
export interface Served {
  readonly jobs: readonly AnyJob[];
  readonly schedules: readonly Schedule[];
  readonly machines: readonly MachineDefinition[];
}

/** What is to be told while a node starts. */
export interface StartHooks {
  /** It exists: signals stop it from now on. */
  readonly onNode: () => void;
  /** Its health server answers. */
  readonly onListening?: ((url: string) => void) | undefined;
}

/** Runs a node with the command's configuration. */
export async function startServing(
  config: Config,
  { jobs, schedules, machines }: Served,
  io: CliIo,
  { onNode, onListening }: StartHooks,
): Promise<RunningNode> {
  tuneEngine();
  // Metrics and logging take long to load, and every other command does without them.
  const [{ runNode }, { cliLogger, prettyOnTerminals }, { cliTelemetry }] = await Promise.all([
    import("../../node/run-node.ts"),
    import("../log.ts"),
    import("./cli-telemetry.ts"),
  ]);
  const telemetry = await cliTelemetry(config, io);
  const pretty = await prettyOnTerminals();
  const { jobs: _files, ...fields } = config;
  const running = await runNode({
    ...fields,
    ...(telemetry === undefined ? {} : { instrumentation: telemetry.instrumentation }),
    jobs,
    schedules,
    machines,
    // Everything was read already; nothing may come from the environment a second time.
    env: {},
    onNode: (node) => {
      // Before the other lets go: Node drops a signal that waits when its last listener goes.
      stopOnSignals(node);
      onNode();
    },
    ...(onListening === undefined ? {} : { onListening }),
    log: cliLogger(config.logLevel, pretty, io.paintErr("red", "x") !== "x"),
  });
  releaseStart(running.node);
  return telemetry === undefined
    ? running
    : { ...running, stopped: running.stopped.then(() => telemetry.shutdown()) };
}

/** @param as which node it is, or which nodes */
export function runningText(
  { jobs, machines, queues, healthUrl }: Omit<Serving, "node">,
  as: string,
  paint: Paint,
): string {
  return `${paint("green", "running")} ${[...jobs, ...machines].join(", ")} on ${queues.join(", ") || "no queue"} ${as}; health at ${healthUrl}/readyz\n`;
}

export function serving(
  { node, healthUrl }: RunningNode,
  config: Config,
  { jobs, schedules, machines }: Served,
): Serving {
  return {
    node: node.name,
    servers: config.servers.map(withoutUser),
    namespace: config.namespace,
    queues: node.queues,
    jobs: jobs.map(({ name }) => name),
    schedules: schedules.map(({ name }) => name),
    machines: machines.map(({ name }) => name),
    healthUrl,
  };
}
