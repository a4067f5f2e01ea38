import { formatMs } from "@millrace/core";
import type { FleetSchedule, FleetScheduleChange } from "../../fleet/fleet-schedules.ts";
import { askedNewSchedule, askedSchedule } from "./asked-schedule.ts";
import { type Asking, ONE, unknownAction } from "./changes.ts";
import type { ChangeView } from "../views/views.ts";

/** The payload of its jobs is not in the audit: it may be anything. */
export async function addSchedule({ fleet, user, body }: Asking): Promise<ChangeView> {
  const schedule = askedNewSchedule(body);
  const { name, cron, job, queue } = schedule;
  await fleet.audit.perform(
    { action: "cron add", filter: { name, cron, job, queue }, by: user.name },
    () => fleet.cron.add(schedule),
  );
  return ONE;
}

export async function changeSchedule(
  name: string,
  action: string,
  { fleet, user, body }: Asking,
): Promise<ChangeView> {
  const intent = { action: `cron ${action}`, filter: { name }, by: user.name };
  switch (action) {
    case "pause":
      await fleet.audit.perform(intent, () => fleet.cron.pause(name));
      return ONE;
    case "resume":
      await fleet.audit.perform(intent, () => fleet.cron.resume(name));
      return ONE;
    case "run": {
      const { id, queue } = await fleet.audit.perform(intent, () => fleet.cron.run(name));
      return { ...ONE, job: { id, queue } };
    }
    case "change": {
      const change = askedSchedule(body);
      const { payload, ...timing } = change;
      // The payload is not in the audit: it may be anything.
      const set = JSON.stringify({ ...timing, ...(payload === undefined ? {} : { payload: "…" }) });
      const stored = (await fleet.cron.list()).find((one) => one.name === name);
      const was = stored === undefined ? {} : { was: wasOf(stored, timing) };
      await fleet.audit.perform({ ...intent, filter: { name, set, ...was } }, () =>
        fleet.cron.change(name, change),
      );
      return ONE;
    }
    case "remove":
      await fleet.audit.perform(intent, () => fleet.cron.remove(name));
      return ONE;
    default:
      throw unknownAction(action);
  }
}

/** What to change it back to, as it is written here and with the command. */
function wasOf(
  { cron, timezone, jitterMs, lateAfterMs, missed, overlap }: FleetSchedule,
  change: FleetScheduleChange,
): string {
  const before = {
    ...{ cron, timezone, missed, overlap },
    ...{ jitter: formatMs(jitterMs), lateAfter: formatMs(lateAfterMs) },
  };
  return JSON.stringify(
    Object.fromEntries(Object.entries(before).filter(([field]) => field in change)),
  );
}
