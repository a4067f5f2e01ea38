import { MillraceError, type QueueSettings } from "@millrace/core";
import { audited } from "../../../client/audit.ts";
import type { Queues } from "../../../client/queues/queues.ts";
import { whole } from "../../../config/field-kinds.ts";
import { command } from "../../command.ts";
import { clean } from "../../show/clean.ts";
import { withClient } from "../../with-client.ts";

export const queuesCreate = command({
  name: "queues create",
  summary: "Create a queue, so that producers may start before any node; one that is there stays",
  usage: "QUEUE",
  args: { min: 1, max: 1 },
  flags: {
    "max-jobs": { kind: whole(1, 1e12), about: "Jobs the queue takes before it refuses producers" },
    "max-bytes": {
      kind: whole(1, 2 ** 50),
      about: "Bytes the queue takes before it refuses producers",
    },
  },
  fields: ["connection", "namespace"],
  examples: [
    ["millrace queues create mail", "Nothing where it is there already"],
    ["millrace queues create mail --max-jobs 100000", "With a limit, set anew where it is there"],
  ],
  async run({ args: [queue = ""], flags, config }) {
    const settings: QueueSettings = {
      ...(flags["max-jobs"] === undefined ? {} : { maxJobs: flags["max-jobs"] }),
      ...(flags["max-bytes"] === undefined ? {} : { maxBytes: flags["max-bytes"] }),
    };
    const created = await withClient(config, async (client) => {
      const isNew = !(await isThere(client.queues, queue));
      await audited(
        client,
        { action: "queues create", filter: { queue, set: JSON.stringify(settings) } },
        () => client.queues.ensure(queue, settings),
        () => ({ count: isNew ? 1 : 0 }),
      );
      return isNew;
    });
    return {
      json: { queue, created },
      text: () => `${clean(queue)} ${created ? "is created" : "was there already"}\n`,
    };
  },
});

async function isThere(queues: Queues, queue: string): Promise<boolean> {
  try {
    await queues.snapshot(queue);
    return true;
  } catch (error) {
    if (MillraceError.is(error, "queue-not-found")) return false;
    throw error;
  }
}
