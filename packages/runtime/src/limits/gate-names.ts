import { createHash } from "node:crypto";

/** Holds the state of every rate: of queues and of keys. */
export const RATES_BUCKET = "rates";

/** What is waited for, told by a gate's name. */
export type GateKind =
  | { readonly kind: "singleton"; readonly lock: string }
  | { readonly kind: "cap"; readonly queue: string; readonly key: string }
  | { readonly kind: "rate"; readonly queue: string; readonly key: string };

export const capGate = (queue: string, key: string): string => `cap/${queue}/${key}`;
export const rateGate = (queue: string, key: string): string => `rate/${queue}/${key}`;
/**
 * The gate of a singleton is called as its lock.
 *
 * @param key as the definition says it; its name where it says none
 */
export const singletonLock = (key: string): string =>
  `singleton/${key.length <= LONGEST_PLAIN_KEY && !key.startsWith(OF_PAYLOAD) ? key : keyHash(key)}`;
/** Of a key that a payload gives, whoever wrote that: no lock of a definition's own is reached. */
export const payloadSingletonLock = (key: string): string =>
  `singleton/${OF_PAYLOAD}${key.length <= LONGEST_PLAIN_KEY ? key : keyHash(key)}`;

const OF_PAYLOAD = "key:";

/** A lock's name takes 512 bytes; a character takes up to three. */
const LONGEST_PLAIN_KEY = 128;

/** @returns undefined for a gate of another make */
export function readGate(gate: string): GateKind | undefined {
  if (gate.startsWith("singleton/")) return { kind: "singleton", lock: gate };
  const match = /^(cap|rate)\/([^/]+)\/(.*)$/s.exec(gate);
  if (match === null) return undefined;
  const [, kind, queue = "", key = ""] = match;
  return { kind: kind as "cap" | "rate", queue, key };
}

/** A user's key where only a few characters may stand. 132 bits: two keys never share one. */
export function keyHash(key: string): string {
  return createHash("sha256").update(key).digest("base64url").slice(0, 22);
}

/** The lock that is one of a key's permits, counted from 0. */
export function permitLock(queue: string, key: string, index: number): string {
  return `${permitLocks(queue, key)}${index}`;
}

/** What the names of a key's permits begin with. */
export const permitLocks = (queue: string, key: string): string => `cap/${queue}/${keyHash(key)}/`;
