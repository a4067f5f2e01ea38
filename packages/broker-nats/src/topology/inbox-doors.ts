/** The first token of a subject that something to a durable machine is on: see `toMachine`. */
export type InboxDoor = "inbox" | "mend" | "mtick" | "mtimer";

export const INBOX_DOORS: readonly InboxDoor[] = ["inbox", "mend", "mtick", "mtimer"];
