import { formatMs, type LockView } from "@millrace/core";
import { recordAudit } from "../../../client/audit.ts";
import { flag } from "../../../config/field-kinds.ts";
import { command } from "../../command.ts";
import { ASKS_FIRST, confirmed } from "../../confirm.ts";
import { EXIT } from "../../exit-codes.ts";
import { clean } from "../../show/clean.ts";
import { withClient } from "../../with-client.ts";

export const locksRelease = command({
  name: "locks release",
  summary:
    "Free a lock whose holder is gone; one that lives finds out at its next renewal. Asks first where there is a person to ask",
  usage: "NAME",
  args: { min: 1, max: 1 },
  flags: { yes: { kind: flag, about: ASKS_FIRST } },
  fields: ["connection", "namespace"],
  examples: [
    ["millrace locks release user/invoices --yes", "Without asking, as a script needs it"],
  ],
  async run({ args, flags, config, io }) {
    const [name = ""] = args;
    return withClient(config, async ({ broker, locks }) => {
      const seen = await broker.locks.look(name);
      if (seen !== undefined && !(await confirmed(io, flags.yes, question(seen))))
        return {
          json: { released: null },
          text: () => "nothing was released\n",
          exitCode: EXIT.failed,
        };
      const released = seen && (await locks.release(name, { holder: seen.holder }));
      if (released === undefined)
        return {
          json: { released: null },
          text: () => `nobody holds the lock ${clean(name)}\n`,
          exitCode: EXIT.failed,
        };
      const { holder, token } = released;
      await recordAudit(
        broker,
        { action: "locks release", filter: { name, holder } },
        { count: 1 },
      );
      return {
        json: { released: { name, holder, token } },
        text: () => `released ${clean(name)}, which ${clean(holder)} held\n`,
      };
    });
  },
});

function question({ name, holder, leaseMs, leftMs }: LockView): string {
  return [
    `${clean(holder)} holds ${clean(name)}, with ${formatMs(leftMs)} of its lease of ${formatMs(leaseMs)} left.`,
    `If it lives, it goes on until its next renewal, within ${formatMs(leaseMs / 3)}, while another may get the lock.`,
    "Release it?",
  ].join("\n");
}
