import { LATEST_DATE_MS } from "@millrace/core";
import type { ExecutionRecord } from "./execution-record.ts";

/** A record as a store keeps it, or undefined where the text is none. */
export function parseRecord(text: string): ExecutionRecord | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const TEXTS = ["id", "name", "queue", "node", "state", "outcome"];
const TEXTS_OF_SOME = ["reason", "traceId"];
const NUMBERS_OF_SOME = ["createdAt", "startedAt", "durationMs", "retryDelayMs"];

/**
 * Whether it has what each record has had ever since, and nothing of another kind: anyone may have
 * written to the store.
 */
export function isRecord(value: unknown): value is ExecutionRecord {
  if (typeof value !== "object" || value === null) return false;
  const fields = value as Readonly<Record<string, unknown>>;
  const { at, attempt, error, tags } = fields;
  return (
    TEXTS.every((name) => typeof fields[name] === "string") &&
    Number.isFinite(attempt) &&
    typeof at === "number" &&
    Math.abs(at) <= LATEST_DATE_MS &&
    TEXTS_OF_SOME.every((name) => isMissingOrText(fields[name])) &&
    NUMBERS_OF_SOME.every((name) => fields[name] === undefined || Number.isFinite(fields[name])) &&
    (error === undefined || isError(error)) &&
    (tags === undefined || (Array.isArray(tags) && tags.every((tag) => typeof tag === "string")))
  );
}

function isError(error: unknown): boolean {
  if (typeof error !== "object" || error === null) return false;
  const { type, message, stack } = error as Readonly<Record<string, unknown>>;
  return typeof type === "string" && typeof message === "string" && isMissingOrText(stack);
}

function isMissingOrText(value: unknown): boolean {
  return value === undefined || typeof value === "string";
}
