import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import {
  decodeBody,
  DEFAULT_QUEUE,
  defined,
  defineJob,
  type Duration,
  type EnqueueOptions,
  MillraceError,
} from "@millrace/core";
import { list, oneOf, text, whole } from "../../config/field-kinds.ts";
import { command, type CommandCall } from "../command.ts";
import { payloadInUtf8 } from "../io.ts";
import { traceWords } from "../show/trace.ts";
import { durationText, time } from "../time-kinds.ts";
import { withTracedClient } from "../with-traced-client.ts";

const flags = {
  queue: {
    kind: { ...text, placeholder: "<queue>" },
    about: `The job's queue (default ${DEFAULT_QUEUE})`,
  },
  id: {
    kind: { ...text, placeholder: "<id>" },
    about: "Idempotency key: enqueueing again with it stores nothing (default: a new UUID)",
  },
  delay: { kind: durationText, about: "Not before this long from now" },
  at: { kind: time, about: "Not before this time" },
  "expires-in": {
    kind: durationText,
    about: "Becomes a dead letter when it has not started this long from now",
  },
  "max-attempts": {
    kind: whole(1, 1_000_000),
    about: "Attempts in all (default: the job definition's)",
  },
  timeout: {
    kind: durationText,
    about: "How long one attempt may run (default: the job definition's)",
  },
  priority: {
    kind: oneOf("high", "normal", "low"),
    about: "Its lane (default normal): how it shares the slots with other jobs",
  },
  tags: { kind: list, about: "Tags, with commas between them" },
  "unique-key": {
    kind: { ...text, placeholder: "<key>" },
    about: "Unique key: while another job of the queue holds it, nothing is enqueued",
  },
  "unique-while": {
    kind: { ...text, placeholder: "<pending|running|5m>" },
    about: "How long the job holds its key (default: as the node's definition says)",
  },
  "on-conflict": {
    kind: { ...text, placeholder: "<keep|replace|2s>" },
    about:
      "If another job holds the key: keep that job (default), replace it, or debounce by a duration",
  },
} as const;

export const enqueue = command({
  name: "enqueue",
  summary:
    "Enqueue one job; the payload is JSON from the argument, from standard input (-) or from a file (@FILE)",
  usage: "NAME [PAYLOAD|-|@FILE]",
  args: { min: 1, max: 2 },
  flags,
  fields: ["connection", "namespace", "tracing"],
  examples: [
    [
      `millrace enqueue mail.welcome '{"to":"ada@example.com"}' --queue mail`,
      "Enqueue a job on the queue mail",
    ],
    [
      "millrace enqueue report @report.json --delay 10m --id report-2031-05",
      "Later, and only once",
    ],
  ],
  async run({ args, flags: given, config, io }) {
    const [name = "", source] = args;
    const job = defineJob({ name, queue: given.queue ?? DEFAULT_QUEUE });
    const payload = parsePayload(await payloadText(source, io));
    const { id, queue, duplicate, conflict, traceId } = await withTracedClient(
      config,
      io,
      async (client, publishedTrace) => {
        const sent = await client.enqueue(job, payload, optionsOf(given));
        // One that was there before is in the trace of its own publish.
        const isNew = !sent.duplicate && sent.conflict?.kind !== "kept";
        return {
          ...{ id: sent.id, queue: sent.queue, duplicate: sent.duplicate, conflict: sent.conflict },
          traceId: isNew ? publishedTrace(sent) : undefined,
        };
      },
    );
    return {
      json: { id, queue, duplicate, ...defined({ conflict, traceId }) },
      text: (paint) => {
        const done =
          conflict?.kind === "kept"
            ? paint("yellow", "not enqueued: its unique key is held by")
            : duplicate
              ? paint("yellow", "already enqueued")
              : paint("green", "enqueued");
        const instead = conflict?.kind === "replaced" ? `, in place of ${conflict.id}` : "";
        return `${done} ${id} on queue ${queue}${instead}${traceWords(traceId, config.traceUrl)}\n`;
      },
    };
  },
});

function optionsOf(given: CommandCall<typeof flags>["flags"]): EnqueueOptions {
  return {
    ...(given.id === undefined ? {} : { id: given.id }),
    ...(given.delay === undefined ? {} : { delay: given.delay as Duration }),
    ...(given.at === undefined ? {} : { at: given.at }),
    ...(given["expires-in"] === undefined ? {} : { expiresIn: given["expires-in"] as Duration }),
    ...(given["max-attempts"] === undefined ? {} : { maxAttempts: given["max-attempts"] }),
    ...(given.timeout === undefined ? {} : { timeout: given.timeout as Duration }),
    ...defined({ priority: given.priority, tags: given.tags }),
    ...uniqueOf(given),
  };
}

function uniqueOf(given: CommandCall<typeof flags>["flags"]): Pick<EnqueueOptions, "unique"> {
  const { "unique-key": key, "unique-while": during, "on-conflict": onConflict } = given;
  if (key === undefined) {
    if (during === undefined && onConflict === undefined) return {};
    throw new MillraceError(
      "invalid-option",
      "unique-key: needed with --unique-while and --on-conflict. Name the key.",
    );
  }
  return {
    unique: {
      key,
      ...(during === undefined
        ? {}
        : {
            while: isOneOf(during, "pending", "running") ? during : { window: during as Duration },
          }),
      ...(onConflict === undefined
        ? {}
        : {
            onConflict: isOneOf(onConflict, "keep", "replace")
              ? onConflict
              : { debounce: onConflict as Duration },
          }),
    },
  };
}

/** What is none of the words is a duration, which core checks. */
function isOneOf<Word extends string>(value: string, ...words: readonly Word[]): value is Word {
  return (words as readonly string[]).includes(value);
}

export async function payloadText(
  source: string | undefined,
  io: CommandCall["io"],
): Promise<string | undefined> {
  if (source === "-") return io.readStdin();
  if (source === undefined || !source.startsWith("@")) return source;
  const path = source.slice(1);
  let bytes: Uint8Array;
  try {
    bytes = await readFile(resolve(io.cwd, path));
  } catch (cause) {
    throw new MillraceError(
      "invalid-option",
      `The payload file ${path} can't be read. Check the path and its permissions.`,
      { cause },
    );
  }
  return payloadInUtf8(bytes, path);
}

/** Read as a node reads JSON: a number that would be altered is refused, with its place. */
export function parsePayload(text: string | undefined): unknown {
  if (text === undefined) return null;
  try {
    return decodeBody(Buffer.from(text), "application/json", Number.POSITIVE_INFINITY);
  } catch (error) {
    // None of its messages quotes the text, which may hold a secret.
    const detail = error instanceof Error ? error.message : "it can't be read";
    throw new MillraceError(
      "invalid-payload",
      `The payload can't be sent: ${detail}. It must be valid JSON; a text needs its quotes: '"text"'.`,
    );
  }
}
