import type { StoredDeadLetter } from "@millrace/core";
import { mask } from "@millrace/telemetry/masking";
import { flag, text } from "../../config/field-kinds.ts";
import { command } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import type { Paint } from "../io.ts";
import { clean } from "../show/clean.ts";
import { payloadOf, showValue } from "../show/payload.ts";
import { facts } from "../show/table.ts";
import { withClient } from "../with-client.ts";

export const deadShow = command({
  name: "dead show",
  summary:
    "Show one dead letter with its error, headers and payload; values of secrets' keys are masked",
  usage: "ID",
  args: { min: 1, max: 1 },
  flags: {
    queue: {
      kind: { ...text, placeholder: "<queue>" },
      about: "Needed where several queues have a letter with this id",
    },
    "show-payload": { kind: flag, about: "Show payload and headers as they are" },
    raw: { kind: flag, about: "Print the original bytes and nothing else" },
  },
  fields: ["connection", "namespace"],
  examples: [
    ["millrace dead show invoice-17", "Why it died and what was in it"],
    ["millrace dead show invoice-17 --raw > body.bin", "Keeps the bytes as they were published"],
  ],
  async run({ args, flags, config, io }) {
    const [id = ""] = args;
    const letter = await withClient(config, (client) =>
      client.dead.show(id, flags.queue === undefined ? {} : { queue: flags.queue }),
    );
    if (flags.raw === true) {
      io.out(letter.body);
      return EXIT.ok;
    }
    const shown = shownLetter(letter, flags["show-payload"]);
    return { json: shown, text: (paint) => letterText(shown, paint) };
  },
});

function shownLetter(letter: StoredDeadLetter, unmasked: boolean | undefined) {
  const { id, name, queue, reason, attempts, error, firstError, at, node, headers, body } = letter;
  return {
    id,
    name: name ?? null,
    queue,
    reason,
    attempts,
    error: error ?? null,
    ...(firstError === undefined ? {} : { firstError }),
    at,
    node,
    headers: unmasked === true ? headers : mask(headers),
    bytes: body.byteLength,
    ...payloadOf(letter, showValue(unmasked)),
  };
}

function letterText(shown: ReturnType<typeof shownLetter>, paint: Paint): string {
  const { id, name, queue, reason, attempts, error, firstError, at, node, headers, bytes } = shown;
  const about = facts(
    [
      ["id", id],
      ["name", name === null ? "?" : clean(name)],
      ["queue", queue],
      ["reason", paint("red", reason)],
      ["attempts", String(attempts)],
      ...(error === null
        ? []
        : [["error", clean(`${error.type}: ${error.message}`, 2_000)] as const]),
      ...(firstError === undefined
        ? []
        : [["first error", clean(`${firstError.type}: ${firstError.message}`, 2_000)] as const]),
      ["at", new Date(at).toISOString()],
      ["node", clean(node)],
      ["headers", clean(JSON.stringify(headers), 2_000)],
      ["bytes", String(bytes)],
      "payload" in shown
        ? (["payload", ""] as const)
        : (["unreadable", clean(shown.unreadable)] as const),
    ],
    paint,
  );
  const stack =
    error?.stack === undefined
      ? ""
      : `${error.stack
          .split("\n")
          .map((line) => clean(line))
          .join("\n")}\n`;
  // JSON escapes control characters, so the payload keeps its lines without being able to move a cursor.
  const payload = "payload" in shown ? `${JSON.stringify(shown.payload, null, 2)}\n` : "";
  return `${about}${payload}${stack === "" ? "" : `\n${paint("dim", stack)}`}`;
}
