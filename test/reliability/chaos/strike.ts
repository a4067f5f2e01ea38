import { setTimeout as sleep } from "node:timers/promises";
import type { TestServer } from "../../harness/servers.ts";
import type { Fleet } from "./fleet.ts";
import type { Blow } from "./plan.ts";

/** Deals one blow and heals what can be healed. Resolves when the fleet is complete again. */
export async function strike(blow: Blow, fleet: Fleet, server: TestServer): Promise<void> {
  switch (blow.kind) {
    case "kill-node":
    case "terminate-node": {
      const gone = fleet.dismiss(
        fleet.mortal(blow.node),
        blow.kind === "kill-node" ? "SIGKILL" : "SIGTERM",
      );
      await Promise.all([gone, fleet.fill()]);
      return;
    }
    case "freeze-node":
      return fleet.freeze(fleet.member(blow.node), blow.forMs);
    case "cut-node":
    case "blackhole-node": {
      const { proxy } = fleet.member(blow.node);
      if (blow.kind === "cut-node") proxy.cut();
      else proxy.blackhole();
      await sleep(blow.forMs);
      proxy.heal();
      return;
    }
    case "kill-server":
      await server.kill();
      await sleep(blow.forMs);
      await server.restart();
      return;
    case "freeze-server":
      await server.freeze();
      await sleep(blow.forMs);
      server.thaw();
      return;
  }
}
