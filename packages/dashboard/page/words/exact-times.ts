import { useSyncExternalStore } from "react";

const KEY = "millrace-times";

const listeners = new Set<() => void>();
let isExact = false;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Whether this reader wants all times exact, and not how long ago they were. */
export const useExactTimes = (): boolean => useSyncExternalStore(subscribe, () => isExact);

export function applyStoredTimes(): void {
  isExact = localStorage.getItem(KEY) === "exact";
}

/** Where no pointer can rest on a time: by a key, or by a tap on any time. */
export function toggleExactTimes(): void {
  isExact = !isExact;
  localStorage.setItem(KEY, isExact ? "exact" : "relative");
  for (const listener of listeners) listener();
}
