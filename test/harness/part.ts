/** Set to `short` by `npm test` without arguments. */
export const VARIABLE = "MILLRACE_TEST_PART";

/**
 * What the short part leaves out, with the reason: the rest ends in minutes on two cores, and still
 * meets each subject on the newest server. A path or the beginning of one, from the root.
 */
export const LONG: Readonly<Record<string, string>> = {
  "bench/bench": "it measures",
  "bench/dashboard": "it measures",
  "bench/idle-memory": "it measures",
  "bench/machines": "it measures",
  "bench/outbox": "it measures",
  "bench/scale/scale": "it measures",
  "bench/steps": "it measures",
  "examples/digest/": "its windows must pass",
  "examples/isolation/": "the timeout of endless work must pass",
  "examples/order-pipeline/": "a pipeline's nodes are killed, and their leases must end",
  "examples/shop/shop": "a whole application is built and run, three times",
  "examples/tenants/": "a backlog of two thousand must be worked off",
  "test/bad-input/command-refuses": "each of the command's refusals is a process",
  "test/bad-input/small-heap": "it fills a heap",
  "test/broker-nats/connect-nats": "it waits for timeouts of the transport",
  "test/broker-nats/leader-loss": "a cluster's leaders are killed",
  "test/broker-nats/leaderless-pull": "a cluster's leader is killed",
  "test/broker-nats/lease-keeper": "leases must end",
  "test/broker-nats/moving": "it waits for many due times",
  "test/broker-nats/outage": "servers are killed and frozen",
  "test/broker-nats/short-pull-lost": "a cluster's leader is killed",
  "test/cli/closed-pipe": "each end of a pipe is met by processes, also by a group of them",
  "test/cli/doctor-cluster": "a cluster's member must be away for long",
  "test/cli/doctor-held": "a node that was killed must be missed",
  "test/cli/ui-killed": "a dashboard is killed, and its lease must end",
  "test/client/search-many": "it enqueues a hundred thousand jobs",
  "test/cluster/": "a cluster's leaders are killed",
  "test/dashboard/browser": "a browser clicks through all pages",
  "test/dashboard/mount-next": "it installs Next and builds an application",
  "test/dashboard/looks": "a browser draws all pages, in both themes",
  "test/deploy/": "the image and the chart",
  "test/flow/flow": "nodes are killed while batches and chains run",
  "test/flow/settlements-end": "each way in which a settlement can't be carried out",
  "test/gate/": "the checks of the repository are broken one by one",
  "test/gates/busy": "it keeps the machine busy",
  "test/gates/rate-backlog": "a backlog must be worked off",
  "test/gates/rate-keys": "keys must be forgotten",
  "test/harness/jaeger/": "it builds Jaeger",
  "test/hostile/ticks": "lost timers must be asked for again, and fire",
  "test/house/command-help": "each of the repository's commands is a process, twice",
  "test/locks/ambiguous-writes": "servers are killed between a write and its answer",
  "test/locks/cluster": "a cluster's leaders are killed",
  "test/locks/keeping": "leases must be extended, and end",
  "test/machines/full-inboxes": "inboxes of a thousand events must be full, and be worked off",
  "test/machines/killed-hosts": "hosts are killed at each of a transition's steps",
  "test/machines/late-host": "a host stands still, and its lease must end",
  "test/machines/unhosted-machines": "a timer must outlast the stop of its host",
  "test/operations/": "processes are killed and frozen, and their leases must end",
  "test/outbox/frozen-database": "a database is frozen, and timeouts must pass",
  "test/outbox/kills": "relays, a node, a database and a server are killed",
  "test/outbox/killed-relays": "relays are killed at each of their steps",
  "test/outbox/transaction": "processes are killed in their transactions",
  "test/packaging/": "it builds and installs the packages",
  "test/queues/cap": "holders are killed, and their leases must end",
  "test/queues/purge-many": "it enqueues forty thousand jobs",
  "test/queues/rate": "it measures",
  "test/records/faults": "each fault between a job's end and its record",
  "test/reliability/": "the fault matrix",
  "test/runtimes/": "other runtimes and bundlers",
  "test/simulation/faithful/": "the model is compared with servers and clusters",
  "test/simulation/machines": "worlds with machines, and each fault is put back",
  "test/simulation/outbox": "worlds with an outbox, and each fault is put back",
  "test/simulation/mutants": "each fault is put back and looked for",
  "test/simulation/steps": "worlds in which jobs have steps, also under broker-nats",
  "test/steps/killed-asking": "nodes are killed between a signal, a call and their records",
  "test/steps/killed-steps": "nodes are killed at each of a step's steps",
  "test/search/postgres-faults": "databases are killed and frozen, and deadlines must pass",
  "test/site/": "it builds the site",
  "test/simulation/nats-realm": "a whole world is played four times",
  "test/telemetry/example-traces": "it runs the examples",
  "test/unique/dying-producer": "producers are killed at each of their steps",
  "test/unique/replace-under-load": "it replaces jobs under load",
  "test/wire/": "producers in other languages are compiled",
};

/** Whether this run is the short part: newest server only, and none of the long files. */
export function isShortPart(): boolean {
  return process.env[VARIABLE] === "short";
}

/** As globs. */
export function longGlobs(): readonly string[] {
  return Object.keys(LONG).map((start) => `${start}**`);
}
