import { MillraceError, recordError } from "@millrace/core";
import type { Millrace } from "../client/millrace.ts";
import type { Config } from "../config/fields.ts";
import type { CliTelemetry } from "./serving/cli-telemetry.ts";
import type { CliIo } from "./io.ts";
import { type PublishedTrace, rememberTrace } from "./published-trace.ts";
import { withClient } from "./with-client.ts";

type Io = Pick<CliIo, "env" | "cwd" | "err">;

/**
 * As `withClient`, for what publishes jobs: with spans where an `OTEL_…` variable says where to
 * export. Telemetry never keeps a job from being enqueued: what is wrong with it is a note. Without
 * such a variable a job is published in no trace.
 */
export async function withTracedClient<Result>(
  config: Config,
  io: Io,
  act: (client: Millrace, publishedTrace: PublishedTrace) => Promise<Result>,
): Promise<Result> {
  const telemetry = await telemetryOf(config, io);
  if (telemetry === undefined) return withClient(config, (client) => act(client, () => undefined));
  const { instrumentation, publishedTrace } = rememberTrace(telemetry.instrumentation);
  const onTrouble = (error: unknown): void => io.err(`not traced: ${recordError(error).message}\n`);
  try {
    return await withClient(config, (client) => act(client, publishedTrace), {
      ...{ instrumentation, onTrouble },
    });
  } finally {
    await telemetry.shutdown();
  }
}

/** Not even looked at without such a variable: a command is to be quick. */
async function telemetryOf(config: Config, io: Io): Promise<CliTelemetry | undefined> {
  if (!Object.keys(io.env).some((name) => name.startsWith("OTEL_"))) return undefined;
  const { cliTelemetry } = await import("./serving/cli-telemetry.ts");
  try {
    return await cliTelemetry(config, io);
  } catch (error) {
    if (!MillraceError.is(error)) throw error;
    io.err(`not traced: ${error.message}\n`);
    return undefined;
  }
}
