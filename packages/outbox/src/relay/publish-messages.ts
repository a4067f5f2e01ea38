import { type Broker, type ErrorCode, MillraceError, type OutgoingMessage } from "@millrace/core";
import type { Claim, OutboxStore, SetAside } from "../store/outbox-store.ts";
import { readMessageRow } from "../rows/message-row.ts";

/** Errors that only somebody's hand can mend: the others in the line are not to wait for it. */
const FOR_GOOD: ReadonlySet<ErrorCode> = new Set([
  "stream-not-found",
  "permission-denied",
  "broker-rejected",
  "payload-too-large",
  "invalid-header",
  "invalid-name",
  "invalid-message",
]);

interface Item {
  readonly seq: number;
  readonly message: OutgoingMessage;
}

/**
 * Publishes the messages of a claim. Streams know what they have by the messages' ids, within their
 * dedupe window; so what was published before something failed leaves the table at once.
 *
 * @returns the rows that were set aside
 * @throws MillraceError of a message that a later try may publish: it and those that were not
 *   published are left in the claim
 */
export async function publishMessages(
  broker: Pick<Broker, "messages" | "description">,
  store: Pick<OutboxStore, "setAside" | "replace">,
  queue: string,
  claim: Claim,
): Promise<readonly SetAside[]> {
  const { messages: publisher } = broker;
  if (publisher === undefined)
    throw new MillraceError(
      "broker-unavailable",
      `The broker ${broker.description} publishes no messages, only jobs.`,
    );
  const aside: SetAside[] = [];
  const items: Item[] = [];
  for (const row of claim.rows) {
    const read = readMessageRow(row);
    if (read.ok) items.push(read);
    else aside.push({ seq: read.seq, reason: read.reason, detail: read.detail });
  }
  const results = await publisher.publish(items.map(({ message }) => message));
  const published: Item[] = [];
  let passing: MillraceError | undefined;
  for (const [place, item] of items.entries()) {
    const result = results[place];
    if (result?.ok === true) published.push(item);
    else if (result !== undefined && FOR_GOOD.has(result.error.code))
      aside.push({ seq: item.seq, reason: result.error.code, detail: result.error.message });
    else passing ??= result?.error ?? unanswered();
  }
  if (aside.length > 0) await store.setAside(queue, claim, aside);
  if (passing === undefined) return aside;
  for (const { seq } of published) await store.replace(queue, claim, seq, []);
  throw passing;
}

function unanswered(): MillraceError {
  return new MillraceError("publish-timeout", "Nothing was said of a message. It is sent again.");
}

/** Whether whoever sends it twice is heard twice: no stream is there to tell. */
export function hasNotices({ rows }: Claim): boolean {
  return rows.some(({ kind }) => kind === "notice");
}
