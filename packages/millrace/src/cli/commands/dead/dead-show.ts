import { type StoredDeadLetter, traceIdOf } from "@millrace/core";
import { flag, text } from "../../../config/field-kinds.ts";
import { maskOf } from "../../../config/mask-of.ts";
import { command } from "../../command.ts";
import { EXIT } from "../../exit-codes.ts";
import type { Paint } from "../../io.ts";
import { fieldFacts } from "../../show/field-facts.ts";
import { clean } from "../../show/clean.ts";
import { payloadOf, shownError, type ShowValue, showValue } from "@millrace/telemetry/masking";
import { facts } from "../../show/table.ts";
import { traceFacts } from "../../show/trace.ts";
import { withClient } from "../../with-client.ts";
import { jsonText } from "../../show/json-text.ts";

export const deadShow = command({
  name: "dead show",
  summary: "Show one dead letter with its error, headers and payload; secrets in them are masked",
  usage: "ID",
  args: { min: 1, max: 1 },
  flags: {
    queue: {
      kind: { ...text, placeholder: "<queue>" },
      about: "Needed where several queues have a letter with this id",
    },
    "show-payload": { kind: flag, about: "Show payload, headers and error as they are" },
    raw: { kind: flag, about: "Print the original bytes and nothing else" },
  },
  fields: ["connection", "namespace", "masking", "tracing"],
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
    const shown = shownLetter(letter, showValue(flags["show-payload"], maskOf(config)));
    return { json: shown, text: (paint) => letterText(shown, paint, config.traceUrl) };
  },
});

function shownLetter(letter: StoredDeadLetter, show: ShowValue) {
  const { id, name, queue, reason, attempts, error, firstError, at, node, headers, body } = letter;
  const traceId = traceIdOf(headers);
  return {
    id,
    name: name ?? null,
    queue,
    reason,
    attempts,
    error: error === undefined ? null : shownError(error, show),
    ...(firstError === undefined ? {} : { firstError: shownError(firstError, show) }),
    at,
    node,
    ...(traceId === undefined ? {} : { traceId }),
    headers: show(headers),
    bytes: body.byteLength,
    ...payloadOf(letter, show),
  };
}

function letterText(
  shown: ReturnType<typeof shownLetter>,
  paint: Paint,
  traceUrl: string | undefined,
): string {
  const { id, name, queue, reason, attempts, error, firstError, at, node, headers, bytes } = shown;
  const { traceId } = shown;
  const about = facts(
    [
      ["id", id],
      ["name", name === null ? "?" : clean(name)],
      ["queue", queue],
      ["reason", reason, "red"],
      ["attempts", String(attempts)],
      ...(error === null
        ? []
        : [["error", clean(`${error.type}: ${error.message}`, 2_000)] as const]),
      ...fieldFacts(error),
      ...(firstError === undefined
        ? []
        : [["first error", clean(`${firstError.type}: ${firstError.message}`, 2_000)] as const]),
      ["at", new Date(at).toISOString()],
      ["node", clean(node)],
      ...traceFacts(traceId, traceUrl),
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
  const payload = "payload" in shown ? `${jsonText(shown.payload, 2)}\n` : "";
  return `${about}${payload}${stack === "" ? "" : `\n${paint("dim", stack)}`}`;
}
