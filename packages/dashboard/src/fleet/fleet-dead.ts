import type {
  DeadLetterGroup,
  DeadLetterResult,
  DeadReason,
  Duration,
  StoredDeadLetter,
} from "@millrace/core";

export interface FleetDeadFilter {
  readonly queue?: string;
  readonly id?: string;
  readonly reason?: DeadReason;
  readonly name?: string | null;
  readonly error?: string | null;
  readonly fingerprint?: string | null;
  readonly where?: string;
}

/** After this time a call fails with `request-timeout`, and with the signal's reason. */
export interface FleetLimits {
  readonly timeout?: Duration;
  readonly signal?: AbortSignal;
}

export interface FleetDeadLetters {
  complete(filter: string): Promise<readonly { readonly filter: string; readonly about: string }[]>;
  list(
    filter: FleetDeadFilter & { readonly limit?: number },
    limits?: FleetLimits,
  ): Promise<readonly StoredDeadLetter[]>;
  groups(filter?: FleetDeadFilter, limits?: FleetLimits): Promise<readonly DeadLetterGroup[]>;
  show(id: string, options: { readonly queue: string }): Promise<StoredDeadLetter>;
  edit(
    id: string,
    payload: unknown,
    options: { readonly queue: string; readonly merge: boolean },
  ): Promise<{ readonly id: string; readonly queue: string }>;
  retry(filter: FleetDeadFilter): Promise<readonly DeadLetterResult[]>;
  discard(filter: FleetDeadFilter): Promise<readonly DeadLetterResult[]>;
}
