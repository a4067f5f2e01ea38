/** Pages that are always there, in the order of the navigation. */
export const PLACES = [
  ["/", "Overview"],
  ["/jobs", "Jobs"],
  ["/errors", "Errors"],
  ["/schedules", "Schedules"],
  ["/machines", "Machines"],
  ["/nodes", "Nodes"],
  ["/limits", "Limits"],
  ["/operations", "Operations"],
  ["/audit", "Audit"],
] as const;

/** There where the dashboard has a doctor. */
export const DOCTOR_PLACE = ["/doctor", "Doctor"] as const;

/** There where the dashboard knows of an outbox. */
export const OUTBOX_PLACE = ["/outbox", "Outbox"] as const;
