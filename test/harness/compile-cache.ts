import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Tests start some thousand Node processes from the same sources. What Node strips and compiles of
 * them is kept for the length of a run, which more than halves what a start costs. A cache that was
 * asked for already is used and left.
 */
export default async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (process.env["NODE_COMPILE_CACHE"] !== undefined) return undefined;
  const directory = await mkdtemp(join(tmpdir(), "millrace-compiled-"));
  // The workers start with this environment, and so do the programs that tests start.
  process.env["NODE_COMPILE_CACHE"] = directory;
  // A worker that is still on its way out may write there.
  return () => rm(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
}
