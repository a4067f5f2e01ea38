// One address for a cluster, as a load balancer gives it: each connection goes to a random member
// that lives. A process of its own, so that nothing that a test does to its own process holds it
// up.
import { connect, createServer, type Socket } from "node:net";

const ports = process.argv.slice(2).map(Number);

const server = createServer((client) => {
  // Half of a connection is no use to NATS: one end's end is the other's.
  client.on("error", () => client.destroy());
  dial(client, shuffled());
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  process.send?.({ port: typeof address === "object" ? address?.port : undefined });
});
process.on("disconnect", () => process.exit());

function dial(client: Socket, left: readonly number[]): void {
  const [port, ...others] = left;
  if (port === undefined || client.destroyed) return void client.destroy();
  const upstream = connect(port, "127.0.0.1");
  const next = (): void => dial(client, others);
  upstream.once("error", next);
  upstream.once("connect", () => {
    upstream.off("error", next);
    upstream.on("error", () => client.destroy());
    client.setNoDelay(true);
    upstream.setNoDelay(true);
    client.on("close", () => upstream.destroy());
    upstream.on("close", () => client.destroy());
    client.pipe(upstream);
    upstream.pipe(client);
  });
}

function shuffled(): number[] {
  return ports
    .map((port) => ({ port, place: Math.random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ port }) => port);
}
