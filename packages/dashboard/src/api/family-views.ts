/** A job with those that enqueued it and those that it enqueued, as it stands in JSON. */
export interface FamilyView {
  readonly members: readonly FamilyMemberView[];
  /** From who enqueued to what was enqueued, by `queue/id`. */
  readonly links: readonly { readonly from: string; readonly to: string }[];
  /** Whether there are others that were not looked up. */
  readonly more: boolean;
}

export interface FamilyMemberView {
  /** `queue/id` */
  readonly key: string;
  readonly queue: string;
  readonly id: string;
  /** Of one that nobody knows any more there is neither. */
  readonly name?: string;
  readonly state?: string;
}
