import { type Broker, type DocumentStore, MillraceError, requireText } from "@millrace/core";
import { readOperation, type StoredOperation } from "./operation.ts";
import { erasePlan, plansOf } from "./operation-plan.ts";

export const OPERATIONS_BUCKET = "operations";
export const OPERATIONS_KEPT_MS = 90 * 24 * 3_600_000;
export const OPERATIONS_KEPT = 1_000;

/** An operation with the revision that was read. */
export interface Placed {
  readonly operation: StoredOperation;
  readonly revision: number;
}

export function operationsBucket(broker: Broker): Promise<DocumentStore> {
  return broker.documents(OPERATIONS_BUCKET, { look: true });
}

/** Newest first. */
export async function listOperations(store: DocumentStore): Promise<readonly StoredOperation[]> {
  return (await store.list())
    .flatMap(({ value }) => readOperation(value) ?? [])
    .toSorted((a, b) => (a.id < b.id ? 1 : -1));
}

/** @throws MillraceError `operation-not-found`; `invalid-option` where the id is no text */
export async function getOperation(store: DocumentStore, id: string): Promise<Placed> {
  const document = await store.get(requireText(id, "id"));
  const operation = readOperation(document?.value);
  if (document !== undefined && operation !== undefined)
    return { operation, revision: document.revision };
  throw new MillraceError(
    "operation-not-found",
    `No operation ${id} is kept. \`millrace operations list\` shows those that are.`,
  );
}

/**
 * Writes how far it is. Only a stop is written beside the one who has the lock; it is kept.
 *
 * @throws MillraceError `lock-lost` where another has taken the operation up meanwhile
 */
export async function writeOperation(
  store: DocumentStore,
  { operation, revision }: Placed,
): Promise<Placed> {
  try {
    return { operation, revision: await store.put(operation.id, operation, revision) };
  } catch (error) {
    if (!MillraceError.is(error, "revision-conflict")) throw error;
    const fresh = await getOperation(store, operation.id);
    if (fresh.operation.token > operation.token)
      throw new MillraceError(
        "lock-lost",
        `The operation ${operation.id} was taken up by another process.`,
        { cause: error },
      );
    const { progress } = fresh.operation;
    const merged = operation.progress.state === "running" ? { ...operation, progress } : operation;
    return writeOperation(store, { operation: merged, revision: fresh.revision });
  }
}

/** Bounded by age and count. What has not ended stays. */
export async function trimOperations(broker: Broker): Promise<void> {
  const store = await operationsBucket(broker);
  const now = await store.now();
  const documents = (await store.list()).toSorted((a, b) => (a.key < b.key ? 1 : -1));
  for (const [index, { key, revision, updatedAt, value }] of documents.entries()) {
    if (index < OPERATIONS_KEPT && now - updatedAt <= OPERATIONS_KEPT_MS) continue;
    const operation = readOperation(value);
    if (operation?.progress.state === "running" || operation?.progress.state === "stopping")
      continue;
    if (operation !== undefined) await erasePlan(await plansOf(broker), key, operation.total);
    await store.erase(key, revision);
  }
}
