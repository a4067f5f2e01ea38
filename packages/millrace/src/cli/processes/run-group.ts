import { totalmem } from "node:os";
import { startHealthServer } from "@millrace/runtime";
import type { Config } from "../../config/fields.ts";
import { healthUrl } from "../../node/health-url.ts";
import { SIGNALS } from "../serving/early-signals.ts";
import type { ExitCode } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import { runningText } from "../serving/serve.ts";
import { heapShare } from "./heap-share.ts";
import { ProcessGroup } from "./process-group.ts";

/**
 * Runs this very command in several processes, and answers for all of them: one health port, one
 * page of metrics, one shutdown.
 */
export async function runGroup(
  { processes, healthPort, healthHost }: Pick<Config, "processes" | "healthPort" | "healthHost">,
  { json, io }: { readonly json: boolean; readonly io: CliIo },
): Promise<ExitCode> {
  let group: ProcessGroup | undefined;
  const health = await startHealthServer({
    health: () => group?.health() ?? { live: true, ready: false, problems: ["it is starting"] },
    metrics: () => group?.metrics() ?? "",
    port: healthPort,
    ...(healthHost === undefined ? {} : { host: healthHost }),
  });
  const [script = "", ...args] = process.argv.slice(1);
  const running = (group = new ProcessGroup({
    ...{ count: processes, script, args },
    nodeArgs: [
      ...process.execArgv,
      ...heapShare(processes, {
        ...{ constrained: process.constrainedMemory(), total: totalmem() },
        ...{ nodeArgs: process.execArgv, nodeOptions: process.env["NODE_OPTIONS"] },
      }),
    ],
    warn: (line) => io.err(`${io.paintErr("yellow", "warning")} ${line}\n`),
  }));
  const pass = (signal: NodeJS.Signals): void => running.signal(signal);
  for (const signal of SIGNALS) process.on(signal, pass);
  const url = healthUrl(health, healthHost);
  void running.served.then(([first, ...others]) => {
    if (first === undefined) return;
    const nodes = [first, ...others].map(({ node }) => node);
    const { node: _node, ...about } = first;
    io.out(
      json
        ? `${JSON.stringify({ ...about, nodes, healthUrl: url })}\n`
        : runningText(
            { ...about, healthUrl: url },
            `in ${processes} processes as ${nodes.join(", ")}`,
            io.paint,
          ),
    );
  });
  try {
    return (await running.ended) as ExitCode;
  } finally {
    for (const signal of SIGNALS) process.off(signal, pass);
    await health.stop();
  }
}
