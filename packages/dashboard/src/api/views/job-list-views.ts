export interface JobRowView {
  readonly id: string;
  /** Which enqueue of the id, as far as it is known. */
  readonly createdAt?: number;
  readonly queue: string;
  readonly name: string;
  readonly state: string;
  readonly attempts: number;
  /** When it came to be in this state, as far as that is known. */
  readonly at?: number;
  /** When it is due. */
  readonly notBefore?: number;
  readonly durationMs?: number;
  readonly node?: string;
  /** Why: an error, or the gate at which it is blocked. */
  readonly why?: string;
  readonly traceId?: string;
}

export interface JobsView {
  readonly jobs: readonly JobRowView[];
  /** Whether there may be more than were looked at. */
  readonly more: boolean;
  /** How many were looked at, where these are told by it. */
  readonly looked?: number;
  /** So many nodes did not answer, where any did not. */
  readonly unanswered?: number;
}
