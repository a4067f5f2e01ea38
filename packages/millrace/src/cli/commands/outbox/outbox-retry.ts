import { requireQueueName } from "@millrace/core";
import { withOutbox } from "../../../outbox/configured-outbox.ts";
import { command } from "../../command.ts";

export const outboxRetry = command({
  name: "outbox retry",
  summary: "Let the relay try again with the rows that were set aside, of one queue or of all",
  usage: "[QUEUE]",
  args: { min: 0, max: 1 },
  flags: {},
  fields: ["outbox"],
  examples: [["millrace outbox retry mail --outbox-sqlite shop.db", "Retry the rows of one queue"]],
  async run({ args: [queue], config }) {
    const wanted = queue === undefined ? undefined : requireQueueName(queue);
    const count = await withOutbox(config, (store) => store.retry(wanted));
    return {
      json: { retried: count },
      text: () => `${count === 1 ? "1 row is" : `${count} rows are`} to be published\n`,
    };
  },
});
