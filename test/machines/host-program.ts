// A node that hosts orders, and that kills itself at a point where it is told one. Its one argument
// is an `OrdersConfig` as JSON.
import { chartsKey, type DocumentStore, isInvoked, withOwn } from "@millrace/core";
import { createNode } from "@millrace/runtime";
import { connectTo } from "../reliability/programs/connect.ts";
import { die } from "../reliability/programs/die.ts";
import { printLogger } from "../reliability/programs/print-logger.ts";
import { LEASE, order, orders, type OrdersConfig } from "./orders.ts";

const config = JSON.parse(process.argv[2] ?? "{}") as OrdersConfig;
const log = printLogger("dying");
const broker = await connectTo(config, log);
const counts = new Map<string, number>();
/** A point is `<before|after> <what> <how often>`. */
const around = async <T>(what: string, act: () => Promise<T>): Promise<T> => {
  const count = (counts.get(what) ?? 0) + 1;
  counts.set(what, count);
  const at = (side: string): void => {
    if (`${side} ${what} ${count}` === config.dieAt) die(config.dieAt);
  };
  at("before");
  const done = await act();
  at("after");
  return done;
};

const { inbox } = broker;
const dying = withOwn(broker, {
  documents: async (bucket) => {
    const store = await broker.documents(bucket);
    if (bucket !== "machines") return store;
    // A node writes its charts when it starts; the points are those of a machine's own document.
    const put: DocumentStore["put"] = (key, value, expected) =>
      key === chartsKey(order.name)
        ? store.put(key, value, expected)
        : around("write", () => store.put(key, value, expected));
    return withOwn(store, { put });
  },
  enqueue: (jobs, options) =>
    jobs.some(isInvoked)
      ? around("enqueue", () => broker.enqueue(jobs, options))
      : broker.enqueue(jobs, options),
  inbox: {
    send: (to, body) => inbox.send(to, body),
    tell: (to, data, headers) => around("tell", () => inbox.tell(to, data, headers)),
    tick: (to, data, at) => around("tick", () => inbox.tick(to, data, at)),
    ticksAsked: () => inbox.ticksAsked(),
    dropTicks: (of, until) => inbox.dropTicks(of, until),
    next: (of, from) => inbox.next(of, from),
    has: (place) => inbox.has(place),
    backlogs: () => inbox.backlogs(),
    host: (machine, options) => inbox.host(machine, options),
  },
});
const node = createNode({
  ...{ name: "dying", broker: dying, ...orders(config), lease: LEASE, log },
  // It is killed again and again, and its jobs are not to blame.
  poisonAfter: 1_000,
});
await node.start();
console.log("ready");
