import type { Finding } from "@millrace/broker-nats";
import { formatSeconds, MillraceError } from "@millrace/core";
import type { OutboxStatus, OutboxStore } from "@millrace/outbox";

/** A relay takes milliseconds. Rows that wait for longer have none, or one that can't publish. */
const LONGEST_WAIT_MS = 60_000;
const CHECK = "outbox";

/** What the doctor finds in an outbox. */
export async function diagnoseOutbox(
  store: Pick<OutboxStore, "status">,
): Promise<readonly Finding[]> {
  try {
    return judgeOutbox(await store.status());
  } catch (error) {
    if (!MillraceError.is(error)) throw error;
    return [{ check: CHECK, status: "fail", message: error.message }];
  }
}

/** One finding for each queue in which something is wrong, or one that nothing is. */
export function judgeOutbox(status: readonly OutboxStatus[]): readonly Finding[] {
  const findings = status.flatMap((one) => [...late(one), ...setAside(one)]);
  if (findings.length > 0) return findings;
  const waiting = status.reduce((sum, one) => sum + one.waiting, 0);
  const message = waiting === 0 ? "is empty" : `holds ${waiting} jobs, none for long`;
  return [{ check: CHECK, status: "ok", message }];
}

function late({ queue, waiting, oldestAgeMs, trouble }: OutboxStatus): readonly Finding[] {
  if (waiting === 0 || oldestAgeMs < LONGEST_WAIT_MS) return [];
  return [
    {
      check: `${CHECK}, queue ${queue}`,
      status: "fail",
      message: `${waiting} jobs wait to be published, the oldest for ${formatSeconds(oldestAgeMs)}${trouble === undefined ? "" : `: ${trouble.message}`}`,
      advice:
        trouble === undefined
          ? "Start a relay (millrace outbox relay), or look whether one runs on this database and namespace."
          : "Do as the error says. The relay tries again by itself.",
    },
  ];
}

function setAside({ queue, setAside: count }: OutboxStatus): readonly Finding[] {
  if (count === 0) return [];
  return [
    {
      check: `${CHECK}, queue ${queue}`,
      status: "warn",
      message: `${count} rows can't be published and were set aside`,
      advice:
        "See why with millrace outbox status; mend or delete the rows, then millrace outbox retry.",
    },
  ];
}
