import type { Finding } from "@millrace/broker-nats";
import { command } from "../command.ts";
import { maskOf } from "../../config/mask-of.ts";
import { configuredOutbox } from "../../outbox/configured-outbox.ts";
import { findingsOf } from "../findings.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Paint } from "../io.ts";
import { clean } from "../show/clean.ts";

export const doctor = command({
  name: "doctor",
  summary:
    "Look at the server and at this namespace's streams, and say what is wrong and what to do; changes nothing",
  usage: "",
  args: { min: 0, max: 0 },
  flags: {},
  fields: ["connection", "namespace", "masking", "outbox"],
  examples: [
    ["millrace doctor --server nats://nats:4222", "One line per check; exits 1 where one fails"],
  ],
  async run({ config }) {
    const outbox = await configuredOutbox(config);
    try {
      const { text: masked } = maskOf(config);
      const found = await findingsOf(config, "millrace-doctor", outbox);
      // What a node can't settle is told with its error.
      const findings = found.map(({ message, advice, ...finding }) => ({
        ...{ ...finding, message: masked(message) },
        ...(advice === undefined ? {} : { advice: masked(advice) }),
      }));
      return {
        json: { healthy: !findings.some(failed), findings },
        text: (paint) => findings.map((finding) => line(finding, paint)).join(""),
        exitCode: codeOf(findings),
      };
    } finally {
      await outbox?.close();
    }
  },
});

function failed({ status }: Finding): boolean {
  return status === "fail";
}

function codeOf(findings: readonly Finding[]): ExitCode {
  if (!findings.some(failed)) return EXIT.ok;
  return findings.some((finding) => failed(finding) && finding.check === "connection")
    ? EXIT.unreachable
    : EXIT.failed;
}

const COLOURS = { ok: "green", warn: "yellow", fail: "red", skip: "dim" } as const;

function line({ check, status, message, advice }: Finding, paint: Paint): string {
  const first = `${paint(COLOURS[status], status.padEnd(4))}  ${check}: ${clean(message, 500)}\n`;
  return advice === undefined ? first : `${first}      ${advice}\n`;
}
