import { threadFile } from "@millrace/core";

/**
 * The file of the thread that extends leases. Asked for by a node before it starts, so that a
 * bundle without it fails at once: without the thread no job can be taken.
 *
 * @throws MillraceError `incomplete-bundle`
 */
export function leaseThread(): URL {
  return threadFile(import.meta.url, "lease-worker");
}

let module: string | undefined;

/**
 * What a thread with a handler loads to ask whether its lease still stands. Looked for once: each
 * job in a thread is given it.
 */
export function leaseModule(): string {
  return (module ??= threadFile(import.meta.url, "thread-lease").href);
}
