import { headers } from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";
import { SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import { setMachine, systemMachine } from "../../packages/broker-nats/src/machine/machine.ts";
import { PullSubscription } from "../../packages/broker-nats/src/pull/pull-subscription.ts";
import { describeOnOwnServers } from "./real-server.ts";
import { until } from "./streams.ts";

const NEXT = "$JS.API.CONSUMER.MSG.NEXT.Q.W";
/** By then waits that double have come to their five seconds. */
const ASKED = 10;
/** Of the machine's own clock: an answer over the loopback. */
const SOON_MS = 10_000;

describeOnOwnServers("a consumer between two leaders", (start) => {
  // `leaderless-pull.test.ts` has what a cluster says at that time.
  test.each([
    ["nobody leads it", 503, "No Responders", undefined],
    ["nobody leads it, and it can't be looked at", 503, "No Responders", "fails"],
    ["nobody leads it, and nobody answers who looks for it", 503, "No Responders", "waits"],
    ["its leader has changed", 409, "Leadership Change", undefined],
    ["its leader shuts down", 409, "Server Shutdown", undefined],
  ])("is asked again within a second, for as long as %s", async (_, code, text, look) => {
    await using server = await start();
    const dial = () => connect({ servers: server.url, noAsyncTraces: true });
    await using between = await dial();
    await using nc = await dial();
    const clock = new SimulatedClock();
    setMachine(nc, { ...systemMachine, clock, random: () => 1 });
    let asked = 0;
    between.subscribe(NEXT, {
      callback: (_error, pull) => {
        asked += 1;
        pull.respond("", { headers: headers(code, text) });
      },
    });
    await between.flush();
    const problems: string[] = [];
    let looks = 0;
    const pulls = new PullSubscription({
      ...{ nc, stream: "Q", consumer: "W", freeSlots: () => 1, onMessage: () => {} },
      async onConsumerMissing() {
        looks += 1;
        if (look === "fails") throw new Error("no leader");
        if (look === "waits") await new Promise(() => {});
      },
      onProblem: ({ code: problem }) => void problems.push(problem),
    });
    for (let times = 1; times <= ASKED; times += 1) {
      await until(`pull ${times}`, () => asked >= times, SOON_MS);
      await until(`answer ${times}`, () => pulls.outstanding === 0, SOON_MS);
      // What follows from the answer is under way, and takes a turn or two.
      await nc.flush();
      await clock.advance("1s");
    }
    expect(problems).toEqual(look === "fails" ? problems.map(() => "consumer-not-found") : []);
    if (look === "waits") expect(looks).toBe(1);
    // Its clock stands: it would wait for ever for pulls to be served.
    await pulls.stop(0);
  });
});
