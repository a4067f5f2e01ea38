// Holds the lease of one message and says what it knows of it: one message when it holds it, one
// for each it is sent.
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
const pulls = new PullSubscription({
  nc,
  stream: "Q",
  consumer: "W",
  freeSlots: () => 1 - busy,
  onMessage: (delivery) => ((busy = 1), received.resolve(delivery.ackSubject)),
});
const lease = keeper.register(await received.promise);
await pulls.stop();
const say = (): void => void process.send?.({ held: keeper.isHeld(lease), lost });
process.on("message", say);
say();
