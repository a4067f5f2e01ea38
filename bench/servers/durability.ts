/**
 * What a confirmation of a server means in one run, the same for every contender: `page-cache`, the
 * operating system has it, so that it outlives the server's process and not the machine; `disk`, it
 * was synced, and outlives both.
 */
export type Durability = "page-cache" | "disk";

export const DURABILITIES: readonly Durability[] = ["page-cache", "disk"];

/**
 * `memory` only where a contender says so: what was confirmed is gone with the server's process.
 */
export type DurabilityClass = Durability | "memory";

export const MEANING: Readonly<Record<DurabilityClass, string>> = {
  memory: "what is confirmed is lost with the server's process",
  "page-cache": "what is confirmed outlives the server's process, not the machine",
  disk: "what is confirmed was synced to disk",
};
