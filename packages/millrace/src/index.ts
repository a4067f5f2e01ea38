// Describing jobs.
export {
  cancel,
  type CancelledJob,
  type DeadJob,
  defineJob,
  defineMachine,
  defineSchedule,
  defineSignal,
  type Duration,
  type ExecutionContext,
  fatal,
  machineAddress,
  type MachineAddress,
  type Handler,
  type Job,
  type JobDefinition,
  type JobOptions,
  type MachineDefinition,
  type MachineOptions,
  type MachineState,
  type Middleware,
  type MissedPolicy,
  type OverlapPolicy,
  type PromiseJobOptions,
  retryAfter,
  type RetryOptions,
  type Schedule,
  type ScheduleFields,
  type ScheduleOptions,
  type ScheduleTiming,
  snooze,
  type Signal,
  type StepCall,
  StepError,
  type OlderRuns,
  type StepOptions,
  type StepsOptions,
  type Steps,
  type SucceededJob,
  toMs,
  type TransactionalDatabase,
} from "@millrace/core";
export { FilterError } from "./filter/filter-error.ts";
export type { Completion } from "./filter/complete-filter.ts";
export type { FailuresQuery } from "./search/failures-query.ts";
export type { EndedRate, RatesQuery } from "./search/index-calls.ts";
export type { Sample, QueueSample } from "./client/samples/sample.ts";
export type { Samples } from "./client/samples/samples.ts";
export type { IndexedJob } from "./search/indexed-job.ts";
export type { JobIndexOptions } from "./search/index-options.ts";
export {
  type FoundJobs,
  type JobIndex,
  type JobIndexStatus,
  type JobSearch,
  openJobIndex,
} from "./search/job-index.ts";
export {
  ERROR_CODES,
  type ErrorCode,
  errorFields,
  MillraceError,
  type RecordedError,
  type RecordedFields,
} from "@millrace/core";

// Producing.
export type { CancelOptions, CancelResult } from "./client/jobs/cancel-job.ts";
export type { CallLimits } from "./client/call-limits.ts";
export type { EnqueueItem, EnqueueManyOptions, Millrace } from "./client/millrace.ts";
export type { ClientHealth } from "./client/client-health.ts";
export type { AuditOutcome } from "@millrace/core";
export { type BatchOptions, planJob, type PlannedJob } from "@millrace/core";
export type { Batches, BatchStatus } from "./client/jobs/batches.ts";
export type { BatchHandle } from "./client/enqueue/batch.ts";
export type { Chain, ChainHandle } from "./client/enqueue/chain.ts";
export { connect, type ConnectOptions } from "./client/connect.ts";
export type { MillraceWithOutbox } from "./client/with-outbox.ts";
export { diagnose, type Finding } from "@millrace/broker-nats";
export type { Cron, ScheduleChange } from "./client/schedules/cron.ts";
export type { ScheduleStatus } from "./client/schedules/schedule-documents.ts";
export type { ScheduleEvent } from "./client/schedules/schedule-history.ts";
export {
  type Cause,
  type CausesOf,
  type CausesQuery,
  type DeadLetterGroup,
  type DeadLetterResult,
  type FailureGroup,
  findCauses,
  type FoundCauses,
} from "@millrace/core";
export type { DeadLetters } from "./client/dead/dead-letters.ts";
export type { DeadLetterFilter } from "./client/dead/dead-matching.ts";
export type { DelayedJobs, NewTime } from "./client/jobs/delayed.ts";
export type {
  Audit,
  AuditIntent,
  AuditQuery,
  AuditRecord,
  AuditTally,
  AuditValue,
} from "./client/audit.ts";
export type {
  Operation,
  OperationFailure,
  OperationKind,
  OperationProgress,
} from "./client/operations/operation.ts";
export type { OperationItem } from "./client/operations/operation-items.ts";
export type {
  CountOptions,
  OperationNote,
  OperationRequest,
  Operations,
} from "./client/operations/operations.ts";
export type {
  DelayedJobFilter,
  LiveJobFilter,
  OperationTarget,
} from "./client/operations/what-is-meant.ts";
export type { GateStatus, Locks } from "./client/locks.ts";
export type { Nodes, NodeStatus } from "./client/nodes.ts";
export type {
  MachineHandle,
  SendOptions,
  WaitForOptions,
} from "./client/machines/machine-handle.ts";
export type {
  MachineChartQuery,
  MachineCount,
  Machines,
  RemoveMachineOptions,
} from "./client/machines/machines.ts";
export type { MachinesPage, MachinesQuery } from "./client/machines/list-machines.ts";
export type {
  InvokedJob,
  MachineEvent,
  MachinePassage,
  ChartState,
  ChartTransition,
  MachineChart,
  MachineSnapshot,
  MachineStatus,
  MachineTimer,
  MachineTrouble,
} from "@millrace/core";
export type { JobHandle, ResultOptions } from "./client/jobs/job-handle.ts";
export type { RescheduleOptions, RescheduleResult } from "./client/jobs/reschedule-job.ts";
export type { LockOptions, LockScope } from "./client/lock.ts";
export type { DrainOptions, DrainResult } from "./client/queues/queue-drain.ts";
export type { LimitUse, QueueLimits } from "./client/queues/queue-limits.ts";
export type { QueueStatus } from "./client/queues/queue-status.ts";
export type {
  ControlNote,
  QueueChange,
  QueuePurgeOptions,
  Queues,
  RateOption,
} from "./client/queues/queues.ts";
export type { EventsQuery } from "./client/events.ts";
export type { JobEvent } from "./client/follow-events.ts";
export type { FoundLiveJobs } from "./client/jobs/find-live.ts";
export type { Jobs, JobsQuery, LiveJobSearch } from "./client/jobs/jobs.ts";
export type { RecordedState, WatchQuery } from "./client/jobs/results/watch-records.ts";
export type { LiveJob, LiveState } from "./client/jobs/live-jobs.ts";
export type { JobLogEntry, JobLogsOptions } from "./client/jobs/job-logs.ts";
export type { JobCargo, JobQuery, JobState, JobStatus } from "./client/jobs/job-status.ts";
export type { DelayReason, HoldingJob, JobHold } from "./client/jobs/job-hold.ts";
export type { JobStep } from "./client/jobs/job-steps.ts";
export type { SendSignal, SignalOptions } from "./client/jobs/signal-job.ts";
export type {
  BatchEnded,
  BatchSummary,
  BrokerStatus,
  DeadReason,
  DelayedJob,
  EnqueueItemResult,
  EnqueueOptions,
  OnceOptions,
  BatchCounts,
  ChainedJob,
  ChainedJobs,
  FlowPlace,
  HistoryRecord,
  LinkOptions,
  ProgressReport,
  ControlMark,
  QueueControls,
  QueueSettings,
  QueueSnapshot,
  StoredDeadLetter,
  UniqueConflict,
} from "@millrace/core";

// Running.
export { createNode, type CreateNodeOptions } from "./node/connect-node.ts";
export { loadJobs, loadMachines, loadSchedules } from "./node/load-jobs.ts";
export type { NodeOptions } from "./node/node-options.ts";
export { runNode, type RunningNode, type RunNodeOptions } from "./node/run-node.ts";
export {
  type Health,
  type MillraceNode,
  type NodeQueueOptions,
  stopOnSignals,
  tuneEngine,
} from "@millrace/runtime";

// Ports, for a broker, a clock, a log or a collector of one's own.
export type { Broker, Clock, ExecutionLog, Logger, MetricsCollector } from "@millrace/core";
export type { Config, ConfigInput } from "./config/fields.ts";
