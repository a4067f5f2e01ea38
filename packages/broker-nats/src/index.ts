export type { NatsBrokerOptions } from "./broker-options.ts";
export { connectBroker } from "./connect-broker.ts";
export type { NatsAuth, NatsConnectionOptions, NatsTls } from "./connection/connection-options.ts";
export type { ServerFeatures } from "./connection/server-features.ts";
export type { NatsBroker } from "./nats-broker.ts";
export type { HistoryLimits } from "./topology/streams.ts";
export { diagnose } from "./diagnosis/diagnose.ts";
export type { Finding } from "./diagnosis/finding.ts";
export { removeNamespace } from "./topology/remove-namespace.ts";
