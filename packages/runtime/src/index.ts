export { type PurgeOptions, purgeQueue, type PurgeResult } from "./node/purge-queue.ts";
export type { Health } from "./node/health.ts";
export { type HealthServer, type Probes, startHealthServer } from "./node/health-server.ts";
export type { HeldLease } from "./lock/lock-request.ts";
export { fleetReadings } from "./metrics/fleet-readings.ts";
export { takeLock } from "./lock/take-lock.ts";
export { type ReplayOptions, replayRun } from "./execution/steps/replay-run.ts";
export type { ReplayedRun, ReplayedStep, ReplayOutcome } from "./execution/steps/replayed-steps.ts";
export { createNode, type MillraceNode } from "./node/node.ts";
export { nodeEvents } from "./node/node-base.ts";
export type { NodeState } from "./node/node-machine.ts";
export type { NodeOptions, NodeQueueOptions } from "./node/node-options.ts";
export { type NodePlan, planNode } from "./node/plan-node.ts";
export { runtimeCharts } from "./node/runtime-charts.ts";
export { stopOnSignals } from "./node/stop-on-signals.ts";
export { tuneEngine } from "./node/tune-engine.ts";
export {
  desiredOf,
  type DesiredState,
  NODE_ORDERS_BUCKET,
  type NodeOrder,
  readNodeOrder,
} from "./presence/node-order.ts";
export {
  clockAheadMs,
  isLost,
  type NodeReport,
  NODES_BUCKET,
  type QueueReport,
  readNodeReport,
} from "./presence/node-report.ts";
export { keyHash, readGate } from "./limits/gate-names.ts";
export { permitPrefix, slotsOf } from "./limits/queue/permit-share.ts";
export { RATES_BUCKET } from "./limits/gate-names.ts";
export { rateKey } from "./limits/queue/token-cache.ts";
export { collectJobs } from "./registry/collect-jobs.ts";
export { collectMachines } from "./registry/collect-machines.ts";
export { collectSchedules } from "./registry/collect-schedules.ts";
