import { decodeBody, MillraceError, type StoredDeadLetter } from "@millrace/core";
import { audited } from "../../../client/audit.ts";
import { flag, text } from "../../../config/field-kinds.ts";
import { command, type CommandCall } from "../../command.ts";
import { editText } from "../../edit-text.ts";
import { EXIT } from "../../exit-codes.ts";
import { withTracedClient } from "../../with-traced-client.ts";
import { parsePayload, payloadText } from "../enqueue.ts";
import { mergePatch } from "./merge-patch.ts";

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
  fields: ["connection", "namespace"],
  examples: [
    ["millrace dead edit invoice-17", "Opens the payload in $VISUAL or $EDITOR, then retries"],
    [`millrace dead edit invoice-17 '{"to":"ada@example.com"}' --merge`, "Changes one field"],
  ],
  async run(call) {
    const [id = "", source] = call.args;
    if (source === undefined && call.flags.merge === true)
      throw new MillraceError("invalid-option", "merge: needs a PAYLOAD that holds what changes.");
    const { queue } = call.flags;
    const where = queue === undefined ? {} : { queue };
    return withTracedClient(call.config, call.io, async (client) => {
      const letter = await client.dead.show(id, where);
      const payload = await newPayload(call, letter, source);
      if (payload === UNCHANGED)
        return {
          json: { edited: [] },
          text: () => "nothing was changed, and the job is not retried\n",
          exitCode: EXIT.failed,
        };
      const edited = await audited(
        client.broker,
        { action: "dead edit", filter: { id, queue: letter.queue } },
        () => client.dead.edit(id, payload, { queue: letter.queue }),
        () => ({ count: 1 }),
      );
      return {
        json: { edited: [edited] },
        text: (paint) =>
          `${paint("green", "retried")} ${edited.id} on queue ${edited.queue} with the new payload\n`,
      };
    });
  },
});

const UNCHANGED = Symbol("unchanged");

async function newPayload(
  { io, flags: { merge } }: CommandCall<typeof flags>,
  letter: StoredDeadLetter,
  source: string | undefined,
): Promise<unknown> {
  if (source !== undefined) {
    const given = parsePayload(await payloadText(source, io));
    return merge === true ? mergePatch(oldPayload(letter), given) : given;
  }
  const old = `${JSON.stringify(oldPayload(letter), null, 2)}\n`;
  const edited = await editText(io, old, `${letter.id}.json`);
  return edited === old ? UNCHANGED : parsePayload(edited);
}

/**
 * As JSON can hold it: bytes and other things it has no form for can't be edited as text. Null
 * where there is none to be read.
 */
function oldPayload(letter: StoredDeadLetter): unknown {
  let body: unknown;
  try {
    body = decodeBody(letter.body, letter.headers["content-type"]);
  } catch {
    // Unreadable: the operator writes it anew.
    return null;
  }
  const payload: unknown =
    typeof body === "object" && body !== null && "payload" in body ? body.payload : null;
  refuseBinary(payload);
  return payload;
}

function refuseBinary(value: unknown): void {
  if (typeof value === "bigint" || ArrayBuffer.isView(value) || value instanceof Date)
    throw new MillraceError(
      "invalid-payload",
      "The payload holds bytes, times or numbers that JSON has no form for, so it can't be edited here. Give the whole new payload, or use dead.edit() in code.",
    );
  if (typeof value === "object" && value !== null) Object.values(value).forEach(refuseBinary);
}
