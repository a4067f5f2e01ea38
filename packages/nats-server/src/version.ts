import { run } from "./run.ts";

/**
 * Which server is wanted: `newest` is the newest 2.x the project is built against (anything from
 * 2.10 on is accepted when it is already there), `2.10` is the oldest supported line, `2.11` the
 * last that stores no batch of messages as one, `2.12` the first that does and that has schedules.
 */
export type ServerGeneration = "newest" | "2.12" | "2.11" | "2.10";

/** The release that is obtained when none is there. */
export const RELEASES: Readonly<Record<ServerGeneration, string>> = {
  newest: "2.15.2",
  "2.12": "2.12.15",
  "2.11": "2.11.17",
  "2.10": "2.10.29",
};

/** The environment variable that names a binary, per generation. */
export const SERVER_VARIABLES: Readonly<Record<ServerGeneration, string>> = {
  newest: "NATS_SERVER",
  "2.12": "NATS_SERVER_2_12",
  "2.11": "NATS_SERVER_2_11",
  "2.10": "NATS_SERVER_OLD",
};

/**
 * Reads `2.15.2` out of what `nats-server --version` prints. Undefined when the text holds no
 * version.
 */
export function parseServerVersion(output: string): string | undefined {
  return /\bv?(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)\b/.exec(output)?.[1];
}

/** Whether a server of this version serves for the generation. */
export function satisfies(version: string, generation: ServerGeneration): boolean {
  const [major = 0, minor = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  if (generation !== "newest") return `${major}.${minor}` === generation;
  return major > 2 || (major === 2 && minor >= 10);
}

/**
 * Whether a server that was asked for by name may stand in the generation's place: 2.11 has no more
 * than 2.10 of what the two generations differ in.
 */
export function standsIn(version: string, generation: ServerGeneration): boolean {
  return satisfies(version, generation) || (generation === "2.10" && version.startsWith("2.11."));
}

/** Asks a binary for its version. Rejects when it cannot be run or answers something else. */
export async function readServerVersion(path: string, signal?: AbortSignal): Promise<string> {
  const output = await run(path, ["--version"], { timeoutMs: 10_000, signal });
  const version = parseServerVersion(output);
  if (version === undefined)
    throw new Error(`${path} --version printed no version: ${output.trim()}`);
  return version;
}
