// Holds the lease of one message and says what it knows of it: one line when it holds it, one for each line it is sent.
import { createInterface } from "node:readline";
import { connect } from "@nats-io/transport-node";
import { LeaseKeeper } from "../../packages/broker-nats/src/lease/lease-keeper.ts";
import { PullSubscription } from "../../packages/broker-nats/src/pull/pull-subscription.ts";

const [servers = "", ackWait = "1000"] = process.argv.slice(2);
const nc = await connect({ servers, noAsyncTraces: true });
let lost = false;
const keeper = await LeaseKeeper.open({
  connection: { servers },
  ackWaitMs: Number(ackWait),
  onLost: () => (lost = true),
});
const received = Promise.withResolvers<string>();
let busy = 0;
new PullSubscription({
  nc,
  stream: "Q",
  consumer: "W",
  freeSlots: () => 1 - busy,
  onMessage: (delivery) => ((busy = 1), received.resolve(delivery.ackSubject)),
});
const lease = keeper.register(await received.promise);
console.log(`held ${keeper.isHeld(lease)}`);
for await (const _line of createInterface({ input: process.stdin }))
  console.log(`held ${keeper.isHeld(lease)} lost ${lost}`);
