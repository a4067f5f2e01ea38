import { diagnose, type Finding } from "@millrace/broker-nats";
import { connectionOptions } from "../config/connection.ts";
import type { Config } from "../config/fields.ts";
import { configuredOutbox } from "../outbox/configured-outbox.ts";
import { diagnoseOutbox } from "../outbox/diagnose-outbox.ts";

/** What `millrace doctor` and the dashboard's page of it say. */
export async function findingsOf(config: Config, name: string): Promise<readonly Finding[]> {
  return [...(await diagnose(connectionOptions(config, name))), ...(await outboxFindings(config))];
}

/** Only of an outbox that the configuration names. */
async function outboxFindings(config: Config): Promise<readonly Finding[]> {
  const store = configuredOutbox(config);
  if (store === undefined) return [];
  try {
    return await diagnoseOutbox(store);
  } finally {
    await store.close();
  }
}
