/** What is due in the next 24 hours, as it stands in JSON. Times are epoch milliseconds. */
export interface ScheduleDayView {
  readonly from: number;
  readonly until: number;
  readonly lines: readonly {
    readonly name: string;
    readonly job: string;
    readonly isPaused: boolean;
    readonly times: readonly number[];
    /** Whether there are more than those. */
    readonly more: boolean;
  }[];
}
