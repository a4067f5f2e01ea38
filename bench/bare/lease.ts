// What a lease costs the main thread, nanoseconds each: `node bench/bare/lease.ts <server url>`.
import { LeaseKeeper } from "../../packages/broker-nats/src/lease/lease-keeper.ts";

const [servers = "127.0.0.1:4222"] = process.argv.slice(2);
const keeper = await LeaseKeeper.open({
  connection: { servers },
  ackWaitMs: 30_000,
  onLost: () => console.log("a lease was lost"),
});
const subject =
  "$JS.ACK.millrace-queue-mail.millrace-mail.1.1234567.1234567.1697042342342342342.12345";
const times = 200_000;
for (let round = 0; round < 4; round += 1) {
  const start = performance.now();
  for (let i = 0; i < times; i += 1) {
    const lease = keeper.register(subject);
    if (!keeper.isHeld(lease)) throw new Error("not held");
    keeper.release(lease);
  }
  console.log(
    `register + isHeld + release ${Math.round(((performance.now() - start) / times) * 1e6)} ns`,
  );
}
await keeper.close();
