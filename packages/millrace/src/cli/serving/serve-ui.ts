import { readFile } from "node:fs/promises";
import { connectBroker } from "@millrace/broker-nats";
import {
  defined,
  MillraceError,
  namespacedMetrics,
  silentLogger,
  systemClock,
} from "@millrace/core";
import { fleetReadings } from "@millrace/runtime";
import { createClient } from "../../client/client.ts";
import { whoAmI } from "../../client/who-am-i.ts";
import { connectionOptions } from "../../config/connection.ts";
import type { Config } from "../../config/fields.ts";
import { maskOf } from "../../config/mask-of.ts";
import { configuredOutbox } from "../../outbox/configured-outbox.ts";
import { findingsOf } from "../findings.ts";
import { configuredIndex } from "../../search/configured-index.ts";
import { openJobIndex } from "../../search/job-index.ts";
import type { CliIo } from "../io.ts";

/** The dashboard of a command, with a connection of its own. */
export interface ServedUi extends AsyncDisposable {
  readonly url: string;
}

/**
 * Serves the dashboard as the configuration says.
 *
 * @param takesAnyPort whether another port will do where the one that is meant is taken
 * @throws MillraceError `dashboard-unprotected`, `dashboard-port-taken`, `invalid-option`, and what
 *   connecting throws
 */
export async function serveUi(
  config: Config,
  io: Pick<CliIo, "err">,
  { takesAnyPort = false }: { readonly takesAnyPort?: boolean } = {},
): Promise<ServedUi> {
  // Every other command does without.
  const { parseAccounts, serveDashboard } = await import("@millrace/dashboard");
  const { prometheusMetrics } = await import("@millrace/telemetry");
  const users = await usersOf(config);
  const accounts = users === undefined ? [] : parseAccounts(users);
  const configured = configuredIndex(config);
  const outbox = await configuredOutbox(config);
  const millrace = createClient(
    await connectBroker(connectionOptions(config, "millrace-ui")),
    systemClock,
    { mask: maskOf(config) },
  );
  const onDefect = (error: unknown): void =>
    io.err(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  const search = await openJobIndex({
    ...{ broker: millrace.broker, namespace: config.namespace, mask: millrace.mask, onDefect },
    ...configured,
  }).catch((error: unknown) => {
    // All but the search works without.
    io.err(`no search: ${error instanceof Error ? error.message : String(error)}\n`);
    return undefined;
  });
  const metrics = prometheusMetrics({ conventions: false });
  const readings = fleetReadings({
    ...{ broker: millrace.broker, nodes: () => millrace.nodes.list(), clock: systemClock },
    ...{ metrics: namespacedMetrics(metrics, config.namespace), log: silentLogger },
  });
  const serve = (port: number) =>
    serveDashboard({
      ...{ millrace, port, host: config.uiHost, accounts, localName: whoAmI() },
      title: config.namespace,
      ...defined({ proxies: config.uiProxies, userHeader: config.uiUserHeader, outbox }),
      doctor: () => findingsOf(config, "millrace-ui-doctor", outbox),
      ...defined({ search, grafana: config.grafanaUrl, traceUrl: config.traceUrl }),
      metrics: () => metrics.page(),
      onDefect,
    });
  const close = async (): Promise<void> => {
    await readings.stop();
    await metrics.close();
    await search?.close();
    await millrace.close();
    await outbox?.close();
  };
  try {
    const served = await serve(config.uiPort).catch((error: unknown) => {
      if (takesAnyPort && MillraceError.is(error, "dashboard-port-taken")) return serve(0);
      throw error;
    });
    return {
      url: served.url,
      [Symbol.asyncDispose]: async () => {
        await served.close();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function usersOf({ uiUsers, uiUsersFile }: Config): Promise<string | undefined> {
  if (uiUsersFile === undefined) return uiUsers;
  if (uiUsers !== undefined)
    throw new MillraceError("invalid-option", "uiUsers and uiUsersFile: set one of them.");
  const text = await readFile(uiUsersFile, "utf8").catch((cause: unknown) => {
    throw new MillraceError(
      "invalid-option",
      `uiUsersFile: ${uiUsersFile} can't be read. Name a file with a user a line: name:operator:password.`,
      { cause },
    );
  });
  // Somebody who names a file wants people to log in.
  if (text.trim() !== "") return text;
  throw new MillraceError("invalid-option", `uiUsersFile: ${uiUsersFile} names no user.`);
}
