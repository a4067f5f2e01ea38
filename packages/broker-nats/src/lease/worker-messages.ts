import type { NatsConnectionOptions } from "../connection/connection-options.ts";
import type { NatsErrorCode } from "../errors.ts";

/** Handed to the worker when it starts; credentials go this way and no other. */
export interface LeaseWorkerData {
  readonly connection: NatsConnectionOptions;
  readonly segments: readonly SharedArrayBuffer[];
  readonly tickMs: number;
}

export type ToWorker =
  { readonly kind: "segment"; readonly buffer: SharedArrayBuffer } | { readonly kind: "close" };

export type FromWorker =
  | { readonly kind: "ready" }
  /** It dials, in vain so far. */
  | { readonly kind: "waiting"; readonly message: string }
  | { readonly kind: "lost"; readonly slot: number; readonly generation: number }
  | { readonly kind: "failed"; readonly code: NatsErrorCode; readonly message: string };
