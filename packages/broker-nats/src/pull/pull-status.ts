import type { MessageStatus, ReceivedHeaders } from "../wire/read-headers.ts";

/** What a status message on a pull's inbox means for the puller. */
export type PullNews =
  /** The consumer is there and has nothing. */
  | { readonly kind: "alive" }
  /**
   * The pull is over; ask again as usual. `isDry`: because there was nothing more; else it was
   * served, or would have been too many bytes.
   */
  | { readonly kind: "ended"; readonly undelivered: number | undefined; readonly isDry: boolean }
  /** The consumer moves or its server stops; ask again in a moment. */
  | { readonly kind: "interrupted"; readonly undelivered: number | undefined }
  /** Too many pulls wait at the consumer; ask again later. */
  | { readonly kind: "crowded" }
  /** Only smaller batches are served. */
  | { readonly kind: "batch-too-large"; readonly limit: number }
  /** Only pulls for fewer bytes are served. */
  | { readonly kind: "bytes-too-many"; readonly limit: number }
  /** The consumer was deleted, or never was; or it has no leader, where nobody answers for it. */
  | { readonly kind: "consumer-missing"; readonly isCertain: boolean }
  /** The request itself is wrong; asking again changes nothing. */
  | { readonly kind: "refused"; readonly description: string };

/**
 * The meaning of each status JetStream sends in answer to a pull, told apart by its text where the
 * code is shared.
 */
export function pullNews(status: MessageStatus, headers: ReceivedHeaders): PullNews {
  const pending = headers["nats-pending-messages"];
  const undelivered = /^\d+$/.test(pending ?? "") ? Number(pending) : undefined;
  switch (status.code) {
    case 100:
      return { kind: "alive" };
    case 404:
    case 408:
      return { kind: "ended", undelivered, isDry: true };
    case 503:
      return { kind: "consumer-missing", isCertain: false };
    case 409:
      return conflict(status.description, undelivered);
    default:
      return { kind: "refused", description: `${status.code} ${status.description}` };
  }
}

function conflict(description: string, undelivered: number | undefined): PullNews {
  const text = description.toLowerCase();
  if (text.includes("consumer deleted")) return { kind: "consumer-missing", isCertain: true };
  if (text.includes("leadership change") || text.includes("server shutdown"))
    return { kind: "interrupted", undelivered };
  if (text.includes("batch completed")) return { kind: "ended", undelivered: 0, isDry: false };
  if (text.includes("message size exceeds maxbytes"))
    return { kind: "ended", undelivered, isDry: false };
  if (text.includes("maxwaiting") || text.includes("maxackpending")) return { kind: "crowded" };
  const limit = /maxrequestbatch of (\d+)/.exec(text)?.[1];
  if (limit !== undefined) return { kind: "batch-too-large", limit: Number(limit) };
  const bytes = /maxrequestmaxbytes of (\d+)/.exec(text)?.[1];
  if (bytes !== undefined) return { kind: "bytes-too-many", limit: Number(bytes) };
  return { kind: "refused", description };
}
