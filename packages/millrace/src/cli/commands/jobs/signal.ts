import { audited } from "../../../client/audit.ts";
import { text } from "../../../config/field-kinds.ts";
import { jobQueueFlag } from "./job-queue-flag.ts";
import { command } from "../../command.ts";
import { withClient } from "../../with-client.ts";
import { parsePayload, payloadText } from "../enqueue.ts";

export const signal = command({
  name: "signal",
  summary:
    "Send a signal to a job with steps; the value is JSON from the argument, from standard input (-) or from a file (@FILE)",
  usage: "ID NAME [VALUE|-|@FILE]",
  args: { min: 2, max: 3 },
  flags: {
    queue: jobQueueFlag,
    "signal-id": {
      kind: { ...text, placeholder: "<id>" },
      about: "Signal id; the same id sent twice counts once (default: a new UUID)",
    },
  },
  fields: ["connection", "namespace"],
  examples: [
    [
      `millrace signal o-17 approval '{"ok":true}' --queue orders`,
      'What the job\'s step.waitFor("approval") is given',
    ],
    ["millrace signal o-17 stop", "Without a value: null"],
  ],
  async run({ args, flags, config, io }) {
    const [id = "", name = "", source] = args;
    const value = parsePayload(await payloadText(source, io));
    const signalId = flags["signal-id"];
    const queue = await withClient(config, async (client) => {
      const where = flags.queue ?? (await client.job(id)).queue;
      // The value is not in the audit: it may be anything.
      await audited(
        client,
        { action: "jobs signal", filter: { queue: where, id, signal: name.slice(0, 100) } },
        () => client.signal(where, id, name, value, signalId === undefined ? {} : { id: signalId }),
        () => ({ count: 1 }),
      );
      return where;
    });
    return {
      json: { id, queue, signal: name },
      text: (paint) => `${paint("green", "sent")} ${name} to ${id} on queue ${queue}\n`,
    };
  },
});
