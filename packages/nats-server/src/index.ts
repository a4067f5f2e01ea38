export { type ClusterOptions, launchCluster, type LaunchedCluster } from "./cluster.ts";
export { findFreePort } from "./free-port.ts";
export { guardChild } from "./guard.ts";
export { launchServer, type LaunchedServer, type LaunchOptions } from "./launch.ts";
export { type ObtainedServer, obtainServer, type ObtainOptions } from "./obtain.ts";
export type { ServerLog } from "./server-log.ts";
export type { ServerExit } from "./server-process.ts";
export { untilStopped } from "./stopped.ts";
export { readServerVersion, SERVER_VARIABLES, type ServerGeneration } from "./version.ts";
