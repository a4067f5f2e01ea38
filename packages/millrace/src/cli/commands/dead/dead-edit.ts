import { type Broker, defined, MillraceError, type StoredDeadLetter } from "@millrace/core";
import { audited } from "../../../client/audit.ts";
import { oldPayloadAsJson } from "../../../client/dead/old-payload.ts";
import { flag, text } from "../../../config/field-kinds.ts";
import { command, type CommandCall } from "../../command.ts";
import { editText } from "../../edit-text.ts";
import { EXIT } from "../../exit-codes.ts";
import { withTracedClient } from "../../with-traced-client.ts";
import { parsePayload, payloadText } from "../enqueue.ts";
import { jsonText } from "../../show/json-text.ts";
import { traceWords } from "../../show/trace.ts";

const flags = {
  queue: {
    kind: { ...text, placeholder: "<queue>" },
    about: "Needed where several queues have a letter with this id",
  },
  merge: {
    kind: flag,
    about: "PAYLOAD holds only what changes: its keys replace the old ones, null takes one away",
  },
} as const;

export const deadEdit = command({
  name: "dead edit",
  summary:
    "Give a dead job a new life with another payload: JSON from the argument, standard input (-), a file (@FILE), or from an editor on a terminal",
  usage: "ID [PAYLOAD|-|@FILE]",
  args: { min: 1, max: 2 },
  flags,
  fields: ["connection", "namespace", "tracing"],
  examples: [
    ["millrace dead edit invoice-17", "Opens the payload in $VISUAL or $EDITOR, then retries"],
    [`millrace dead edit invoice-17 '{"to":"ada@example.com"}' --merge`, "Changes one field"],
  ],
  async run(call) {
    const [id = "", source] = call.args;
    if (source === undefined && call.flags.merge === true)
      throw new MillraceError("invalid-option", "merge: needs a PAYLOAD that holds what changes.");
    const { queue, merge = false } = call.flags;
    const where = queue === undefined ? {} : { queue };
    return withTracedClient(call.config, call.io, async (client, publishedTrace) => {
      const letter = await client.dead.show(id, where);
      const payload = await newPayload(call, { letter, limits: client.broker }, source);
      if (payload === UNCHANGED)
        return {
          json: { edited: [] },
          text: () => "nothing was changed, and the job is not retried\n",
          exitCode: EXIT.failed,
        };
      const edited = await audited(
        client,
        { action: "dead edit", filter: { id, queue: letter.queue } },
        () => client.dead.edit(id, payload, { queue: letter.queue, merge }),
        () => ({ count: 1 }),
      );
      const traceId = publishedTrace(edited);
      const trace = traceWords(traceId, call.config.traceUrl);
      return {
        json: { edited: [{ ...edited, ...defined({ traceId }) }] },
        text: (paint) =>
          `${paint("green", "retried")} ${edited.id} on queue ${edited.queue} with the new payload${trace}\n`,
      };
    });
  },
});

const UNCHANGED = Symbol("unchanged");

async function newPayload(
  { io }: CommandCall<typeof flags>,
  {
    letter,
    limits,
  }: { readonly letter: StoredDeadLetter; readonly limits: Pick<Broker, "maxValues"> },
  source: string | undefined,
): Promise<unknown> {
  if (source !== undefined) return parsePayload(await payloadText(source, io));
  const old = `${jsonText(oldPayloadAsJson(letter, limits), 2)}\n`;
  const edited = await editText(io, old, `${letter.id}.json`);
  return edited === old ? UNCHANGED : parsePayload(edited);
}
