import { defineJob } from "@millrace/core";
import { connect } from "millrace";
import { cleanUpLater } from "../harness/cleanup.ts";
import { startProxy } from "../harness/proxy.ts";
import type { TestServer } from "../harness/servers.ts";

export const mail = defineJob<{ n: number }>({ name: "mail", queue: "q" });

/** A client with the queue of `mail`, and a line to the server that can be spoilt. */
export async function producerOn(server: TestServer, settings: { readonly maxJobs?: number } = {}) {
  const namespace = server.namespace();
  const proxy = await startProxy(server.url);
  const client = await connect({ servers: proxy.url, namespace });
  cleanUpLater(() => client.close());
  await client.queues.ensure("q", settings);
  const queued = async (): Promise<number> =>
    (await client.queues.list()).find(({ queue }) => queue === "q")?.queued ?? 0;
  return { namespace, proxy, client, queued };
}
