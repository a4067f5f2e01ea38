import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launchServer, type ServerGeneration, obtainServer } from "@millrace/nats-server";
import type { Durability } from "./durability.ts";

export interface PrivateNats {
  readonly url: string;
  readonly version: string;
  remove(): Promise<void>;
}

/** `page-cache` is the server's default: it syncs every two minutes. */
export async function startNats(
  generation: ServerGeneration,
  durability: Durability,
): Promise<PrivateNats> {
  const { path } = await obtainServer({
    generation,
    onProgress: (line) => process.stderr.write(`${line}\n`),
  });
  const storeDir = await mkdtemp(join(tmpdir(), "millrace-bench-"));
  const block = `jetstream { store_dir: ${JSON.stringify(storeDir)}, sync_interval: always }`;
  const server = await launchServer({
    path,
    storeDir,
    ...(durability === "disk" ? { jetstream: false, config: block } : {}),
  });
  return {
    url: server.url,
    version: server.version,
    async remove() {
      await server.dispose();
      await rm(storeDir, { recursive: true, force: true });
    },
  };
}
