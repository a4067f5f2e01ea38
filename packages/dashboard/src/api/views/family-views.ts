import type { RefView } from "./views.ts";

/**
 * A job with those that enqueued it, those that it enqueued, its chain and its batch, as it stands
 * in JSON.
 */
export interface FamilyView {
  readonly members: readonly FamilyMemberView[];
  /** From what was there first to what comes of it, by `queue/id`. */
  readonly links: readonly { readonly from: string; readonly to: string }[];
  /** Whether there are others that were not looked up. */
  readonly more: boolean;
  /** How many jobs come later in a chain, of which nobody says which. Absent where none does. */
  readonly later?: number;
  /** The batch that the job belongs to, or whose callback it is. */
  readonly batch?: BatchView;
}

export interface BatchView {
  readonly id: string;
  readonly total: number;
  readonly left: number;
  /** How those that have ended did. */
  readonly counts: Readonly<Record<string, number>>;
  readonly callback: RefView;
}

export interface FamilyMemberView {
  /** `queue/id` */
  readonly key: string;
  readonly queue: string;
  readonly id: string;
  /** Of one that nobody knows any more there is neither. */
  readonly name?: string;
  /** `not begun`: its turn in a chain has not come. */
  readonly state?: string;
}
