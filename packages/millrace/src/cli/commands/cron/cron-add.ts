import { DEFAULT_QUEUE, type Duration, type MissedPolicy } from "@millrace/core";
import { type FieldKind, flag, oneOf, text } from "../../../config/field-kinds.ts";
import { command, type CommandCall } from "../../command.ts";
import { withClient } from "../../with-client.ts";
import { changeSchedule } from "./cron-change.ts";
import { timeOf } from "./cron-list.ts";
import { durationText } from "../../time-kinds.ts";
import { parsePayload, payloadText } from "../enqueue.ts";

const missedPolicy: FieldKind<MissedPolicy> = {
  placeholder: "<skip|once|all:n>",
  parse(raw) {
    if (raw === "skip" || raw === "once") return raw;
    const all = typeof raw === "string" ? /^all:(\d+)$/.exec(raw)?.[1] : undefined;
    if (all === undefined) throw new Error("must be skip, once or all:n, such as all:10");
    return { all: Number(all) };
  },
  show: (value) => (typeof value === "string" ? value : `all:${value.all}`),
};

const flags = {
  queue: {
    kind: { ...text, placeholder: "<queue>" },
    about: `The job's queue (default ${DEFAULT_QUEUE})`,
  },
  timezone: {
    kind: { ...text, placeholder: "<zone>" },
    about: "IANA time zone such as Europe/Berlin (default UTC)",
  },
  jitter: { kind: durationText, about: "Delay each tick by up to this much (default none)" },
  missed: {
    kind: missedPolicy,
    about:
      "Ticks that fell due while no node led: left out, the latest, the latest n (default once)",
  },
  overlap: {
    kind: oneOf("allow", "skip", "queue", "cancel"),
    about: "A tick whose previous job has not ended (default allow)",
  },
  "late-after": { kind: durationText, about: "From when on a tick is late (default 5s)" },
  replace: { kind: flag, about: "Replace a schedule of this name" },
} as const;

export const cronAdd = command({
  name: "cron add",
  summary:
    "Store a schedule, for the nodes of the namespace to carry out; the payload is as with enqueue",
  usage: "NAME CRON JOB [PAYLOAD|-|@FILE]",
  args: { min: 3, max: 4 },
  flags,
  fields: ["connection", "namespace"],
  examples: [
    [
      `millrace cron add nightly '0 3 * * *' report '{"kind":"daily"}' --queue reports --timezone Europe/Berlin`,
      "Every night at three, in Berlin",
    ],
    [
      `millrace cron add nightly '0 4 * * *' report --queue reports --replace`,
      "At four from now on",
    ],
  ],
  async run({ args, flags: given, config, io }) {
    const [name = "", cron = "", job = "", source] = args;
    const payload = parsePayload(await payloadText(source, io));
    const next = await withClient(config, async (client) => {
      const queue = given.queue ?? DEFAULT_QUEUE;
      await changeSchedule(client, "cron add", name, () =>
        client.cron.add(
          { name, cron, job, queue, payload, ...timingOf(given) },
          { replace: given.replace === true },
        ),
      );
      return client.cron.next(name, 1);
    });
    return {
      json: { name, next: next[0] ?? null },
      text: (paint) => `${paint("green", "added")} ${name}; next at ${timeOf(next[0])}\n`,
    };
  },
});

function timingOf(given: CommandCall<typeof flags>["flags"]) {
  return {
    ...(given.timezone === undefined ? {} : { timezone: given.timezone }),
    ...(given.jitter === undefined ? {} : { jitter: given.jitter as Duration }),
    ...(given.missed === undefined ? {} : { missed: given.missed }),
    ...(given.overlap === undefined ? {} : { overlap: given.overlap }),
    ...(given["late-after"] === undefined ? {} : { lateAfter: given["late-after"] as Duration }),
  };
}
