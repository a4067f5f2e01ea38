// Takes a lock and, while told to, writes under it, whatever its signal says. Its one argument is a
// `HolderConfig` as JSON.
import { connectBroker } from "@millrace/broker-nats";
import { systemClock } from "@millrace/core";
import { takeLock } from "@millrace/runtime";
import { ledgerNowMs } from "../../reliability/oracle/ledger-entry.ts";
import { printLogger } from "../../reliability/programs/print-logger.ts";
import { Register } from "./register.ts";
import type { HolderConfig, Said } from "./said.ts";

const config = JSON.parse(process.argv[2] ?? "{}") as HolderConfig;
const say = (message: Said): void => void process.send?.(message);

const broker = await connectBroker({
  servers: config.servers,
  namespace: config.namespace,
  ...(config.replicas === undefined ? {} : { replicas: config.replicas }),
  pingIntervalMs: 500,
  reconnectWaitMs: 50,
});
if (config.isNode) {
  await broker.queues.ensure("idle");
  await broker.work("idle", { freeSlots: () => 1, onDelivery: () => {}, leaseMs: config.leaseMs });
}
const register = new Register(config.register);
say({ say: "waiting" });
const lease = await takeLock(
  { locks: broker.locks, clock: systemClock, log: printLogger(config.name), random: Math.random },
  {
    name: config.lock,
    holder: config.name,
    leaseMs: config.leaseMs,
    waitMs: Number.POSITIVE_INFINITY,
  },
);
if (lease === undefined) throw new Error("waited for ever and got nothing");
const { token, signal } = lease;
// The new holder's token is on record before anything else: from here on the register refuses the
// one before.
register.write(config.name, token, lease.isHeld());
signal.addEventListener("abort", () =>
  say({
    say: "lost",
    atMs: ledgerNowMs(),
    superseded: (signal.reason as Error).cause !== undefined,
  }),
);
say({ say: "held", token, atMs: ledgerNowMs() });

type Command = { readonly do: "write" | "release" } | { readonly do: "stall"; readonly ms: number };

process.on("message", (command: Command) => {
  if (command.do === "release") return void lease.release();
  if (command.do === "stall") {
    // Nothing else of this thread has its turn meanwhile, no timer and no answer.
    const until = ledgerNowMs() + command.ms;
    while (ledgerNowMs() < until);
  }
  const [held, aborted] = [lease.isHeld(), signal.aborted];
  say({ say: "wrote", held, aborted, accepted: register.write(config.name, token, held) });
});
