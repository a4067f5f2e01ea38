import { isSchedule, MillraceError, type Schedule } from "@millrace/core";

/**
 * The schedules among a module's exports, named or default; a list of schedules counts too. One
 * that is exported twice comes once.
 */
export function collectSchedules(exports: object): readonly Schedule[] {
  return [...new Set(Object.values(exports).flat().filter(isSchedule))];
}

/**
 * @throws MillraceError `invalid-schedule` where something is no schedule, or two different ones
 *   have one name
 */
export function requireSchedules(schedules: readonly unknown[]): readonly Schedule[] {
  const byName = new Map<string, Schedule>();
  for (const schedule of schedules) {
    if (!isSchedule(schedule))
      throw new MillraceError(
        "invalid-schedule",
        "schedules: give the node what defineSchedule() returns.",
      );
    const known = byName.get(schedule.name);
    if (known !== undefined && known !== schedule)
      throw new MillraceError(
        "invalid-schedule",
        `Two schedules are called ${schedule.name}. Each needs a name of its own.`,
      );
    byName.set(schedule.name, schedule);
  }
  return [...byName.values()];
}
