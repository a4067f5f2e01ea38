export interface DeadRowView {
  readonly id: string;
  readonly queue: string;
  readonly name: string | null;
  readonly attempts: number;
  readonly at: number;
  readonly message: string;
}

/** Which dead letters: all that is given must fit; null fits those that have none. */
export interface DeadFilterView {
  readonly queue?: string;
  readonly id?: string;
  readonly name?: string | null;
  readonly reason?: string;
  readonly error?: string | null;
  readonly fingerprint?: string | null;
  /** In the language of filters. */
  readonly where?: string;
}
