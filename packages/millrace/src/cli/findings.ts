import { diagnose, type Finding } from "@millrace/broker-nats";
import { connectionOptions } from "../config/connection.ts";
import type { Config } from "../config/fields.ts";
import type { configuredOutbox } from "../outbox/configured-outbox.ts";
import { diagnoseOutbox } from "../outbox/diagnose-outbox.ts";

/**
 * What `millrace doctor` and the dashboard's page of it say.
 *
 * @param name of the connection
 * @param outbox the one that the configuration names, if it names one
 */
export async function findingsOf(
  config: Config,
  name: string,
  outbox: Awaited<ReturnType<typeof configuredOutbox>>,
): Promise<readonly Finding[]> {
  const findings = await diagnose(connectionOptions(config, name));
  return outbox === undefined ? findings : [...findings, ...(await diagnoseOutbox(outbox))];
}
