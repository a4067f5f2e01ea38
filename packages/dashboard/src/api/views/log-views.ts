/** What handlers logged. */
export interface JobLogView {
  /** In the order in which they began to log. */
  readonly runs: readonly LogRunView[];
  /** Lines before these that are not shown. */
  readonly earlier: number;
}

export interface LogRunView {
  readonly attempt: number;
  readonly node: string;
  /** Tells it from another run of the attempt. */
  readonly token: number;
  /** Lines of this run before those that are here. */
  readonly earlier: number;
  readonly lines: readonly LogLineView[];
}

export interface LogLineView {
  readonly at: number;
  readonly level: string;
  readonly message: string;
  readonly fields?: unknown;
}
