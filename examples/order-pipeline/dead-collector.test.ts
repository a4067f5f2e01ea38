import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { findFreePort } from "@millrace/nats-server";
import { test } from "vitest";
import { cleanUpLater } from "../../test/harness/cleanup.ts";
import { patient } from "../../test/harness/cluster/mode.ts";
import { eventually } from "../../test/harness/deadline.ts";
import { describeServer } from "../../test/harness/servers.ts";
import { DEADLINE_MS, expectResults, startShop, stopShop } from "./shop.fixture.ts";

/** Takes connections and whatever comes, and never answers. */
async function startSilentCollector(): Promise<{ url: string; connections(): number }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => void sockets.add(socket.on("error", () => {}).resume()));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanUpLater(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, connections: () => sockets.size };
}

const env = (url: string): Record<string, string> => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: url,
  OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
  OTEL_BSP_SCHEDULE_DELAY: "50",
});

describeServer("a collector that is no help", "newest", (server) => {
  test(
    "one that is not there: every job ends as it would, and so do the processes",
    async () => {
      const shop = await startShop(server, env(`http://127.0.0.1:${await findFreePort()}`));
      await expectResults(server, shop);
      await stopShop(shop);
    },
    patient(2 * DEADLINE_MS),
  );

  test(
    "one that takes everything and never answers: the same",
    async () => {
      const collector = await startSilentCollector();
      const shop = await startShop(server, env(collector.url));
      await expectResults(server, shop);
      // Else this would be a test of a shop without telemetry.
      await eventually(() => collector.connections() > 2, {
        withinMs: 20_000,
        describe: () =>
          `the collector has more than two connections; it has ${collector.connections()}`,
      });
      await stopShop(shop);
    },
    patient(2 * DEADLINE_MS),
  );
});
