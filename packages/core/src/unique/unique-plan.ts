import type { Envelope } from "../envelope/envelope.ts";
import { MillraceError } from "../errors/millrace-error.ts";
import type { UniqueRule } from "../job/coordination.ts";
import type { UniqueWhile } from "./unique-claim.ts";

/** What an enqueue of a unique job does about its key. */
export interface UniquePlan {
  readonly key: string;
  /** Undefined: the node goes by its definition of the job. */
  readonly while: UniqueWhile | undefined;
  readonly onConflict: UniqueRule<never>["onConflict"];
}

/** What an enqueue met that found its unique key held. */
export type UniqueConflict =
  /** Nothing was published. The id that was given back is the holder's. */
  | { readonly kind: "kept"; readonly key: string }
  /** The job was published, and the one with this id, which has not started, gives way to it. */
  | { readonly kind: "replaced"; readonly key: string; readonly id: string };

/**
 * A debounced job starts once its key has been left alone for this long: the first no sooner than
 * the last.
 */
export function debounced(envelope: Envelope, { onConflict }: UniquePlan): Envelope {
  if (typeof onConflict !== "object") return envelope;
  const notBefore = Math.max(envelope.notBefore ?? 0, envelope.createdAt + onConflict.debounceMs);
  if (envelope.expiresAt !== undefined && envelope.expiresAt <= notBefore)
    throw new MillraceError(
      "already-expired",
      `The job would expire at ${new Date(envelope.expiresAt).toISOString()}, but its debounce lets it start at ${new Date(notBefore).toISOString()} at the earliest.`,
    );
  return { ...envelope, notBefore };
}
