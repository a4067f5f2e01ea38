import { instrumentedBroker, MillraceError, recordError, systemClock } from "@millrace/core";
import { connectBroker } from "@millrace/broker-nats";
import { createClient, type Millrace } from "../client/client.ts";
import { connectionOptions } from "../config/connection.ts";
import type { Config } from "../config/fields.ts";
import type { CliTelemetry } from "./cli-telemetry.ts";
import type { CliIo } from "./io.ts";
import { withClient } from "./with-client.ts";

type Io = Pick<CliIo, "env" | "cwd" | "err">;

/**
 * As `withClient`, for what publishes jobs: with spans where an `OTEL_…` variable says where to
 * export. Telemetry never keeps a job from being enqueued: what is wrong with it is a note.
 */
export async function withTracedClient<Result>(
  config: Config,
  io: Io,
  act: (client: Millrace) => Promise<Result>,
): Promise<Result> {
  const telemetry = await telemetryOf(config, io);
  if (telemetry === undefined) return withClient(config, act);
  const { instrumentation } = telemetry;
  const note = (error: unknown): void => io.err(`not traced: ${recordError(error).message}\n`);
  try {
    const broker = await connectBroker(connectionOptions(config, "millrace-cli"));
    const traced = instrumentedBroker(broker, instrumentation, note);
    await using client = createClient(traced, systemClock, undefined, undefined, instrumentation);
    return await act(client);
  } finally {
    await telemetry.shutdown();
  }
}

/** Not even looked at without such a variable: a command is to be quick. */
async function telemetryOf(config: Config, io: Io): Promise<CliTelemetry | undefined> {
  if (!Object.keys(io.env).some((name) => name.startsWith("OTEL_"))) return undefined;
  const { cliTelemetry } = await import("./cli-telemetry.ts");
  try {
    return await cliTelemetry(config, io);
  } catch (error) {
    if (!MillraceError.is(error)) throw error;
    io.err(`not traced: ${error.message}\n`);
    return undefined;
  }
}
