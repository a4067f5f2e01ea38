export { ERROR_CODES, type ErrorCode } from "./errors/codes.ts";
export { errorCommand } from "./errors/error-help.ts";
export { isErrorCode, MillraceError } from "./errors/millrace-error.ts";
export { AskedThread } from "./job/asked-thread.ts";
export { threadFile } from "./job/thread-file.ts";
export { errorFields, giveFields, mapTexts, type RecordedFields } from "./errors/error-fields.ts";
export {
  recordError,
  type RecordedError,
  recordFailure,
  trimError,
} from "./errors/recorded-error.ts";
export { errorFingerprint, type ErrorFingerprint } from "./errors/error-fingerprint.ts";
export { isHopeless } from "./errors/hopeless.ts";
export { orWhereDenied } from "./errors/denied.ts";
export { isUnfit } from "./errors/unfit.ts";

export { atMostConfirmed } from "./control/at-most-confirmed.ts";
export {
  type Cancellation,
  CANCELLATIONS_BUCKET,
  cancellationKey,
  cancellationKeys,
  cancelReason,
  readCancellation,
  isMeant,
} from "./control/cancellation.ts";

export type { Clock, Timer } from "./time/clock.ts";
export { CLOCK_OFF_MS, CLOCK_SLACK_MS } from "./time/clock-slack.ts";
export { type Duration, formatMs, formatSeconds, toMs } from "./time/duration.ts";
export { LATEST_DATE_MS } from "./time/latest-date.ts";
export { SecondLooks } from "./time/second-looks.ts";
export { DisciplinedClock } from "./time/disciplined-clock.ts";
export { systemClock } from "./time/system-clock.ts";

export {
  AS_IT_IS,
  decodeBody,
  encodeJson,
  encodeMsgpack,
  MAX_DEPTH,
  requireSendable,
} from "./envelope/body.ts";
export {
  BYTES_A_VALUE,
  DEFAULT_MAX_DELAY_MS,
  DEFAULT_MAX_VALUES,
  LEAST_MAX_VALUES,
  RUNTIME_VALUES,
  tooFarAhead,
} from "./envelope/body-limits.ts";
export { hasJsonForm, isPlainMap } from "./envelope/json-form.ts";
export { AlteredNumber, scanJson } from "./envelope/json-scan.ts";
export {
  type EncodeRules,
  RefusedValue,
  tooLargeValue,
  unsendableValue,
} from "./envelope/sendable.ts";
export { unserializable } from "./settlement/unserializable.ts";
export type { AnyStateMachine } from "xstate";
export { checkStored } from "./durable/check-stored.ts";
export {
  defineMachine,
  isMachine,
  type MachineDefinition,
  type MachineOptions,
  type MachineState,
  type PromiseJobOptions,
} from "./durable/define-machine.ts";
export {
  activeStates,
  type ChartState,
  type ChartTransition,
  chartOf,
  chartsKey,
  type MachineChart,
  type MachineCharts,
  MOST_CHARTS,
  readCharts,
} from "./durable/machine-chart.ts";
export { machineAddress, type MachineAddress } from "./durable/machine-address.ts";
export { invokedBy, isInvoked } from "./ids/invoked-id.ts";
export { migrateStored, type StoredMigration } from "./durable/migrate-stored.ts";
export { findMachine, findReadable } from "./durable/find-machine.ts";
export {
  endedIn,
  forgetMachine,
  forgetUnreadable,
  type SeenMachine,
} from "./durable/forget-machine.ts";
export {
  type InvokedJob,
  isNoMachine,
  machineKey,
  type MachineDocument,
  type MachineEffect,
  type MachineEvent,
  type MachinePassage,
  MACHINE_STATUSES,
  MACHINES_BUCKET,
  type MachineStatus,
  type MachineTimer,
  type MachineTrouble,
  NO_MACHINE,
  readMachine,
  type SentEvent,
} from "./durable/machine-document.ts";
export {
  isMachineId,
  isMachineName,
  type MachineRef,
  requireMachineId,
  requireMachineName,
} from "./durable/machine-names.ts";
export {
  type MachineEventOf,
  type MachineInputOf,
  machineSnapshot,
  type MachineSnapshot,
} from "./durable/machine-snapshot.ts";
export { afterSentAgain, keepUnsent, nextTimerAt, tickTime } from "./durable/finish-document.ts";
export { isUnsentFull } from "./durable/unsent-events.ts";
export { notPlain, notSendable, requireFewValues } from "./durable/plain-value.ts";
export {
  lastResorts,
  refuseStart,
  refuseStep,
  type Occurrence,
  ofThisVersion,
  requireNotNewer,
  startMachine,
  stepMachine,
} from "./durable/step-machine.ts";
export type { InvokedEnd } from "./durable/own-events.ts";
export {
  type HostOptions,
  type InboxBody,
  type InboxMessage,
  type InboxStore,
  type MachineBacklog,
  MAX_EVENT_BYTES,
  MAX_WAITING_EVENTS,
  NotNow,
} from "./broker/stores/inbox-store.ts";
export { limitsOfQueue, requireQueueSettings } from "./broker/queue-settings.ts";
export {
  type BatchCounts,
  type ChainLink,
  type Envelope,
  type JobRef,
  type Lane,
  messageIdOf,
  UNSETTLED,
  effectsOf,
} from "./envelope/envelope.ts";
export { callerHeader, CALLER_HEADER, callerOf } from "./ids/caller-header.ts";
export { generationsIn, type IdGeneration } from "./ids/generation-ids.ts";
export { firstOfNextLife, isEarlierLife } from "./envelope/lives.ts";
export {
  flowPlace,
  recordedPlace,
  type FlowPlace,
  type ChainedJob,
  type ChainedJobs,
} from "./envelope/flow-place.ts";
export { endMark, type EndRef, LONGEST_CHAIN } from "./envelope/chain-link.ts";
export { writeFittingEnvelope } from "./envelope/fit-envelope.ts";
export { requireSubject } from "./envelope/subject.ts";
export { MAX_HEADERS, tooManyReceived, travellingHeaders } from "./envelope/headers.ts";
export type { MessageOrigin, QueueMessage } from "./envelope/message.ts";
export { MAX_REASON } from "./envelope/text-limits.ts";
export {
  isId,
  isQueueName,
  requireId,
  requireJobName,
  requireNamespace,
  requirePlace,
  requireQueueName,
} from "./ids/names.ts";
export { readEnvelope, type ReadResult, type UnreadableReason } from "./envelope/read-envelope.ts";
export { isTime } from "./envelope/envelope-fields.ts";
export { runnableAt } from "./envelope/runnable-at.ts";
export { writeEnvelope } from "./envelope/write-envelope.ts";
export { linkOutOfReach, needsProgramDoor } from "./flow/reach.ts";

export { executionMachine, type FinalState } from "./machine/execution-machine.ts";
export { takes } from "./machine/transition-table.ts";

export { NO_RETRY, type RetryOptions, retryPolicy } from "./retry/backoff.ts";
export type { RetryPolicy } from "./retry/retry-policy.ts";

export { type DeadLetter, UNDO_MS } from "./settlement/dead-letter.ts";
export { brokenLink } from "./settlement/broken-link.ts";
export { inOrderOfMessages, outranks } from "./settlement/history-order.ts";
export { endOf, type JobEnd, letterBeside, strayOf } from "./settlement/job-end.ts";
export { messageOfLetter } from "./settlement/message-of-letter.ts";
export {
  alreadyEnded,
  firstMessageOf,
  firstStoredAt,
  type IdMemory,
  isItsEnd,
  isSameEnqueue,
  NO_MEMORY,
} from "./settlement/one-end.ts";
export type { EnqueueRef, FirstMessage } from "./envelope/enqueue-ref.ts";
export type { Successors } from "./broker/successors.ts";
export type { Children, HistoryRecord } from "./settlement/history-record.ts";
export type { Follower, Outcome } from "./settlement/outcome.ts";
export type { DeadReason } from "./settlement/dead-reason.ts";
export { tellLess } from "./settlement/outcome-job.ts";
export { rescheduled } from "./settlement/reschedule.ts";
export { type Followers, followersOf, recordedEnd } from "./settlement/followers.ts";
export { settle } from "./settlement/settle.ts";
export { storedPayload } from "./settlement/stored-payload.ts";
export {
  crashesOf,
  type Settlement,
  type SettlementInput,
  type SettlementStep,
} from "./settlement/settlement.ts";
export { envelopeOfUnreadable } from "./settlement/unreadable.ts";
export { waitsForOwnStart } from "./settlement/waits-for-start.ts";

export {
  type Coordination,
  type KeyOf,
  keyOf,
  type SingletonRule,
  type UniqueRule,
} from "./job/coordination.ts";
export {
  type AnyJob,
  type AnyJobDefinition,
  DEFAULT_QUEUE,
  defineJob,
  isJob,
  type Job,
  type JobDefinition,
  type JobOptions,
} from "./job/define-job.ts";
export type { CancelledJob, DeadJob, OutcomeTarget, SucceededJob } from "./job/outcome-jobs.ts";
export type { AbortCause, ExecutionContext, Handler, Middleware } from "./job/execution-context.ts";
export type { RunInTransaction, TransactionalDatabase } from "./job/transactional-database.ts";
export {
  cancel,
  fatal,
  type HandlerWish,
  OutcomeSignal,
  retryAfter,
  snooze,
  watchOutcomeSignals,
} from "./job/outcome-signal.ts";
export { type Schema, validate } from "./job/schema.ts";

export {
  mustBe,
  requireCount,
  requireLimit,
  requireFlag,
  requireFunction,
  requireMethod,
  requireOptions,
  requireText,
  shownValue,
} from "./options/option-values.ts";
export { nearest } from "./options/nearest.ts";
export { someAtATime } from "./broker/some-at-a-time.ts";
export { defined } from "./options/defined.ts";
export { requireJobList, requireParts } from "./options/given-parts.ts";
export { optionNames, refuseUndefined, refuseUnknown } from "./options/known-options.ts";
export {
  type EnqueuedJob,
  type EnqueueItemResult,
  unanswered,
  withCreatedAt,
} from "./producer/enqueue-many.ts";
export { batchEnd, type BatchEnded, callBack } from "./flow/call-back.ts";
export {
  chainEnvelope,
  type ChainPlan,
  jobsOfChain,
  type LinkOptions,
  type NextJob,
  planChain,
  planChainOnce,
  withLink,
} from "./flow/chain-plan.ts";
export { callBackIfOver, type Kept, leaveUnlessMember } from "./flow/batch-members.ts";
export { enqueueOrBury, NO_ROOM_MS } from "./flow/enqueue-or-bury.ts";
export { joinBatch } from "./flow/join-batch.ts";
export { isKnownJob, wasEnqueued, wasEnqueuedSince } from "./flow/known-job.ts";
export {
  type BatchOptions,
  type MadeBatch,
  makeBatch,
  MOST_BATCH_JOBS,
  planBatch,
  planJob,
  type PlannedJob,
} from "./flow/plan-batch.ts";
export { checkedHeaders, type EnqueueOptions, startTime } from "./producer/enqueue-options.ts";
export type { OnceOptions } from "./producer/job-key.ts";
export { newJobId } from "./producer/job-id.ts";
export { enqueueOne } from "./producer/enqueue-one.ts";
export { type EnvelopeSource, type JobOrigin } from "./producer/make-envelope.ts";
export { type PreparedJob, prepareJob } from "./producer/prepare-job.ts";
export { claimKeys, type FreshClaims } from "./producer/claim-keys.ts";
export { isNotStored } from "./producer/not-stored.ts";
export { sendJobs } from "./producer/send-jobs.ts";
export { enqueueTogether } from "./producer/enqueue-together.ts";
export { brokerOutlet, type JobOutlet, Producer } from "./producer/producer.ts";

export { CLAIM_HEADER, claimHeaderOf, type NotedClaim } from "./unique/claim-header.ts";
export {
  displacedBy,
  displacedIn,
  dueOf,
  inPlaceOf,
  lookedFor,
  mayBeAwaited,
  successor,
  successorSeen,
  successorsOf,
  withDisplaced,
  withoutName,
} from "./unique/succession.ts";
export {
  asItStands,
  CLAIM_LEASE_MS,
  cleared,
  type Displaced,
  FREED_MEMORY_MS,
  isThrough,
  letThrough,
  mayBeReplaced,
  moved,
  readClaim,
  type StoredClaim,
  UNIQUE_BUCKET,
  type UniqueClaim,
  windowEnd,
} from "./unique/unique-claim.ts";
export { type Standing, UniqueClaims } from "./unique/unique-claims.ts";
export { UniqueKey } from "./unique/unique-key.ts";
export type { UniqueConflict, UniquePlan } from "./unique/unique-plan.ts";

export { checkInput, defineSchedule } from "./schedule/define-schedule.ts";
export { removeLeftState } from "./schedule/left-state.ts";
export { planTick, type PreviousState, type TickPlan } from "./schedule/next-tick.ts";
export {
  isSchedule,
  OVERLAP_POLICIES,
  type MissedPolicy,
  type OverlapPolicy,
  type Schedule,
  type ScheduleOptions,
  type ScheduleTiming,
} from "./schedule/schedule.ts";
export {
  requireScheduleName,
  scheduleDefinition,
  type ScheduleFields,
} from "./schedule/schedule-definition.ts";
export {
  leadershipOf,
  type LeftOut,
  NEW_STATE,
  paused,
  readScheduleState,
  resumed,
  SCHEDULE_STATE,
  type ScheduleDecision,
  type ScheduledJob,
  type ScheduleState,
  type SkipReason,
  withDropped,
  withFired,
  withIntent,
  withQueued,
  withRun,
  withSkipped,
  withTrouble,
} from "./schedule/schedule-state.ts";
export { runJob, tickJob, tickJobId, tickOriginOf } from "./schedule/tick-job.ts";
export { nextTicks } from "./schedule/ticks.ts";
export {
  readStoredSchedule,
  SCHEDULES,
  SCHEDULES_SEEN,
  type StoredSchedule,
  upsert,
} from "./schedule/stored-schedule.ts";
export { judgeTickJob } from "./schedule/supersession.ts";

export type {
  Broker,
  BrokerStatus,
  CloseOptions,
  FindOptions,
  QueueIntake,
  QueueSettings,
  QueueSnapshot,
  QueueStore,
  ServerEndpoint,
  WaitingJob,
  WaitingQuery,
} from "./broker/broker.ts";
export {
  type AwaitedNodes,
  isMeantRun,
  type MeantRun,
  type RunningJob,
} from "./broker/running-job.ts";
export type { EnqueueCall, EnqueueResult } from "./broker/enqueue-call.ts";
export { dedupeWindowOf } from "./broker/dedupe-window.ts";
export { isLookedFor } from "./broker/enqueued-before.ts";
export type { Stoppable } from "./broker/stoppable.ts";
export type { Delivery, Lease, ThreadLease, WorkOptions, WorkSubscription } from "./broker/work.ts";
export type {
  Batch,
  BatchEnd,
  BatchStore,
  BatchSummary,
  EndedMember,
  StoredBatch,
} from "./broker/stores/batch-store.ts";
export type {
  BlockedGate,
  BlockedJob,
  BlockedQuery,
  BlockedStore,
  MeantRelease,
  ReleaseOptions,
} from "./broker/stores/blocked-store.ts";
export type {
  BuriedJob,
  DeadLetterQuery,
  DeadLetterStore,
  StoredDeadLetter,
} from "./broker/stores/dead-letter-store.ts";
export type { Cause } from "./settlement/cause.ts";
export {
  type CausesOf,
  type CountsFailures,
  type CausesQuery,
  findCauses,
  type FoundCauses,
} from "./settlement/find-causes.ts";
export type { DeadLetterGroup } from "./settlement/dead-letter-group.ts";
export type { FailureGroup } from "./settlement/failure-group.ts";
export { type AuditCounts, type AuditOutcome, auditOutcomeText } from "./control/audit-outcome.ts";
export { type DeadLetterResult, tallyLetters } from "./settlement/dead-letter-result.ts";
export { inPlaces, isKeyed } from "./broker/keyed-jobs.ts";
export {
  type DelayedJob,
  type DelayedQuery,
  type DelayedStore,
  type MeantMove,
  type NewestOptions,
  ON_ITS_WAY_MS,
} from "./broker/stores/delayed-store.ts";
export type {
  Document,
  DocumentOptions,
  DocumentPage,
  DocumentPageQuery,
  DocumentStore,
  UnreadableDocument,
} from "./broker/stores/document-store.ts";
export { findToReplace } from "./broker/stores/find-to-replace.ts";
export type {
  HistoryQuery,
  HistoryStore,
  PlacedRecord,
  StoredRecord,
  Stretch,
  StretchQuery,
  TailQuery,
} from "./broker/stores/history-store.ts";
export type {
  JournalStore,
  RunRef,
  StepRef,
  StepReadOptions,
  StepWriteOptions,
  StoredStep,
} from "./broker/stores/journal-store.ts";
export type {
  Arrival,
  ArrivalQuery,
  Arrivals,
  ArrivalStore,
  TakenOut,
} from "./broker/stores/arrival-store.ts";
export type { JobLogStore, StoredLogPage } from "./broker/stores/job-log-store.ts";
export type { ProgressStore } from "./broker/stores/progress-store.ts";
export {
  MAX_SIGNAL_BYTES,
  MAX_WAITING_SIGNALS,
  type SignalBody,
  type SignalRef,
  type SignalStore,
  type StoredSignal,
} from "./broker/stores/signal-store.ts";
export { checkProgress, type ProgressReport } from "./job/progress-report.ts";
export { LaneTurns } from "./broker/lane-turns.ts";
export {
  DEFAULT_LANE_WEIGHTS,
  LANE_CONSUMERS,
  LANE_NAMES,
  type LaneName,
  laneWeights,
  type LaneWeights,
} from "./broker/lanes.ts";
export { LONGEST_LEASE_MS, requireLease, requireLockName } from "./broker/lock-limits.ts";
export type { Mark, MarkStore, MarkWrite } from "./broker/stores/mark-store.ts";
export type {
  MessagePublisher,
  MessageResult,
  OutgoingMessage,
} from "./broker/message-publisher.ts";
export type {
  HeldLock,
  LockClaim,
  LockKeeping,
  LockStore,
  LockView,
  LockWaiter,
} from "./broker/stores/lock-store.ts";
export { waitersInOrder } from "./broker/stores/waiters-in-order.ts";

export { changeControls } from "./control/change-controls.ts";
export {
  type ControlMark,
  CONTROLS_BUCKET,
  isConcurrency,
  MOST_KEY_CONCURRENCY,
  isMaxParked,
  isSendsTo,
  MOST_PARKED,
  type QueueControls,
  type QueueControlsChange,
  type RateLimit,
} from "./control/queue-controls.ts";
export { dealTokens, readBucket } from "./control/rate-bucket.ts";
export { queueClosed } from "./control/queue-closed.ts";
export { readControls } from "./control/read-controls.ts";
export { isSilent, unheardIn, type UnheardJobs } from "./control/unheard-jobs.ts";

export type { Events } from "./events/catalogue.ts";
export { EventBus } from "./events/event-bus.ts";
export { type ExecutionLog, noExecutionLog, type SettledExecution } from "./log/execution-log.ts";
export {
  isAtLeast,
  JOB_LOG_LEVELS,
  type JobLogLevel,
  type JobLogLine,
  type JobLogPage,
} from "./log/job-log.ts";
export { type Logger, silentLogger } from "./log/logger.ts";
export { type LogMethod, wrapLogger } from "./log/wrap-logger.ts";
export { plainFields } from "./log/plain-fields.ts";
export { storable, storableJson } from "./log/storable-json.ts";
export { unfailingLogger } from "./log/unfailing-logger.ts";
export {
  type CounterName,
  type GaugeName,
  type HistogramName,
  type LabelsOf,
  METRICS,
} from "./metrics/catalogue.ts";
export type { MetricDescription } from "./metrics/metric-description.ts";
export { countingBroker } from "./metrics/counting-broker.ts";
export { namespacedMetrics } from "./metrics/namespaced-metrics.ts";
export { unfailingMetrics } from "./metrics/unfailing-metrics.ts";
export {
  type MetricLabels,
  type MetricsCollector,
  noMetrics,
} from "./metrics/metrics-collector.ts";

export type {
  CreatedMessage,
  AttemptTrace,
  EndedWait,
  Instrumentation,
  Publication,
  Published,
  StartedAttempt,
  ThreadTracing,
} from "./tracing/instrumentation.ts";
export { GuardedTrace } from "./tracing/guarded-trace.ts";
export { withOwn } from "./broker/with-own.ts";
export { instrumentedBroker } from "./tracing/instrumented-broker.ts";
export type { MachineTransition } from "./tracing/machine-transition.ts";
export { traceHeaders } from "./tracing/trace-headers.ts";
export { traceIdOf, tracePart } from "./tracing/trace-id.ts";

export {
  type CallEntry,
  type CallingStep,
  type ChildEnd,
  type FailedStep,
  type JournalEntry,
  readEntry,
  type ReturnedStep,
  type SettledCall,
  type SignalledStep,
  type ToldAt,
  type WaitEntry,
  type WaitingStep,
  writeEntry,
} from "./steps/journal-entry.ts";
export {
  defineSignal,
  readSignal,
  requireSignalName,
  type Signal,
  writeSignal,
} from "./steps/signal.ts";
export { calledBy, type CalledBy, calledId } from "./ids/called-id.ts";
export { type ReadRun, readRun, type RecordedRun, recordRun } from "./steps/recorded-run.ts";
export { StepError } from "./steps/step-error.ts";
export type { OlderRuns, StepsDefinition, StepsOptions } from "./steps/steps-definition.ts";
export {
  MAX_JOURNAL_BYTES,
  MAX_STEP_BYTES,
  MAX_STEPS,
  requireStepName,
} from "./steps/step-limits.ts";
export type {
  CallOptions,
  CheckedWait,
  StepCall,
  StepOptions,
  Steps,
  WaitOptions,
} from "./steps/steps.ts";
