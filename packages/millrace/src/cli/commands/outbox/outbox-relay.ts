import { maskOf } from "../../../config/mask-of.ts";
import { requireOutbox } from "../../../outbox/configured-outbox.ts";
import { command } from "../../command.ts";
import { EXIT } from "../../exit-codes.ts";
import { interruptible } from "../../serving/interrupt.ts";

export const outboxRelay = command({
  name: "outbox relay",
  summary: "Publish what is committed to the outbox, until SIGTERM or SIGINT; any number may run",
  usage: "",
  args: { min: 0, max: 0 },
  serves: true,
  flags: {},
  fields: ["connection", "namespace", "masking", "health", "outbox"],
  examples: [
    [
      "MILLRACE_OUTBOX_POSTGRES=postgres://app@db/shop millrace outbox relay",
      "A relay for a PostgreSQL database",
    ],
  ],
  async run({ config, json, io }) {
    const store = await requireOutbox(config);
    // Logging and metrics take long to load, and every other command does without it.
    const [{ cliLogger, prettyOnTerminals }, { maskedLogger }, { serveRelay }] = await Promise.all([
      import("../../log.ts"),
      import("@millrace/telemetry"),
      import("../../serving/serve-relay.ts"),
    ]);
    const colours = io.paintErr("red", "x") !== "x";
    const bare = cliLogger(config.logLevel, await prettyOnTerminals(), colours);
    // A driver's error may quote the URL with its password.
    const logger = maskedLogger(bare, maskOf(config));
    await interruptible((signal) =>
      serveRelay({
        ...{ config, store, logger, signal },
        onRelaying(healthUrl) {
          const about = { relaying: true, namespace: config.namespace, healthUrl };
          io.out(
            json ? `${JSON.stringify(about)}\n` : `relaying the outbox, health at ${healthUrl}\n`,
          );
        },
      }),
    );
    return EXIT.ok;
  },
});
