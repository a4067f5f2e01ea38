import { MillraceError } from "@millrace/core";
import type { ShowValue } from "@millrace/telemetry/masking";
import type { DashboardOutbox } from "../fleet/outbox.ts";
import { fields } from "./changes/asked.ts";
import type { Asking } from "./changes/changes.ts";
import { givenPart } from "./changes/given-part.ts";
import type { ChangeView } from "./views/views.ts";
import type { OutboxView } from "./views/outbox-views.ts";

const MOST_ROWS = 100;

/** @throws MillraceError `outbox-failed`; `invalid-option` where the dashboard has no outbox */
export async function outboxView(
  outbox: DashboardOutbox | undefined,
  show: ShowValue,
): Promise<OutboxView> {
  const given = givenPart(outbox, "outbox");
  const [queues, setAside] = await Promise.all([given.status(), given.listSetAside(MOST_ROWS)]);
  return {
    queues: queues.map(({ queue, waiting, oldestAgeMs, setAside: aside, trouble }) => ({
      ...{ queue, waiting, oldestAgeMs, setAside: aside },
      ...(trouble === undefined
        ? {}
        : { trouble: String(show(trouble.message)), troubleMs: trouble.forMs }),
    })),
    rows: setAside.map(({ seq, id, queue, reason, detail, ageMs }) => ({
      ...{ seq, id, queue, reason, ageMs },
      detail: String(show(detail)),
    })),
  };
}

/** Of one queue, or of all. */
export async function retryRows(
  outbox: DashboardOutbox | undefined,
  { fleet, user, body }: Asking,
): Promise<ChangeView> {
  const { queue } = fields(body, "body");
  if (queue !== undefined && (typeof queue !== "string" || queue === ""))
    throw new MillraceError("invalid-option", "queue: must be a queue's name.");
  const count = await fleet.audit.perform(
    {
      ...{ action: "outbox retry", by: user.name },
      filter: queue === undefined ? {} : { queue },
    },
    () => givenPart(outbox, "outbox").retry(queue),
    (rows) => ({ count: rows }),
  );
  return { count, failed: [] };
}
