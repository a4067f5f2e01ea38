import { connectBroker } from "@millrace/broker-nats";
import { startRelay } from "@millrace/outbox";
import { connectionOptions } from "../../config/connection.ts";
import { maskOf } from "../../config/mask-of.ts";
import { requireOutbox } from "../../outbox/configured-outbox.ts";
import { command } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { interruptible } from "../interrupt.ts";

export const outboxRelay = command({
  name: "outbox relay",
  summary: "Publish what is committed to the outbox, until SIGTERM or SIGINT; any number may run",
  usage: "",
  args: { min: 0, max: 0 },
  flags: {},
  fields: ["connection", "namespace", "masking", "outbox"],
  examples: [
    [
      "MILLRACE_OUTBOX_POSTGRES=postgres://app@db/shop millrace outbox relay",
      "Of a PostgreSQL database",
    ],
  ],
  async run({ config, json, io }) {
    const store = requireOutbox(config);
    // Logging takes long to load, and every other command does without it.
    const [{ cliLogger, prettyOnTerminals }, { maskedLogger }] = await Promise.all([
      import("../log.ts"),
      import("@millrace/telemetry"),
    ]);
    const colours = io.paintErr("red", "x") !== "x";
    const bare = cliLogger(config.logLevel, await prettyOnTerminals(), colours);
    // A driver's error may quote the URL with its password.
    const logger = maskedLogger(bare, maskOf(config));
    await interruptible(async (signal) => {
      const broker = await connectBroker({
        ...connectionOptions(config, "millrace-outbox"),
        waitOnFirstConnect: true,
        logger,
        signal,
      }).catch((error: unknown) => {
        if (signal.aborted) return undefined;
        throw error;
      });
      if (broker === undefined) return;
      try {
        const relay = await startRelay({ broker, store, logger });
        const about = { relaying: true, namespace: config.namespace };
        io.out(json ? `${JSON.stringify(about)}\n` : "relaying the outbox\n");
        await aborted(signal);
        await relay.stop();
      } finally {
        await broker.close();
      }
    });
    return EXIT.ok;
  },
});

async function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => resolve(), { once: true });
  if (!signal.aborted) await promise;
}
