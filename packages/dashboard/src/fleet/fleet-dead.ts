import type {
  DeadLetterGroup,
  DeadLetterResult,
  DeadReason,
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

export interface FleetDeadLetters {
  complete(filter: string): Promise<readonly { readonly filter: string; readonly about: string }[]>;
  list(filter: FleetDeadFilter & { readonly limit?: number }): Promise<readonly StoredDeadLetter[]>;
  groups(filter?: FleetDeadFilter): Promise<readonly DeadLetterGroup[]>;
  show(id: string, options: { readonly queue: string }): Promise<StoredDeadLetter>;
  edit(
    id: string,
    payload: unknown,
    options: { readonly queue: string; readonly merge: boolean },
  ): Promise<{ readonly id: string; readonly queue: string }>;
  retry(filter: FleetDeadFilter): Promise<readonly DeadLetterResult[]>;
  discard(filter: FleetDeadFilter): Promise<readonly DeadLetterResult[]>;
}
