import type { Command } from "./command.ts";
import { auditList } from "./commands/fleet/audit-list.ts";
import { bench } from "./commands/bench.ts";
import { completion } from "./commands/completion.ts";
import { configPrint } from "./commands/config-print.ts";
import { cronAdd } from "./commands/cron/cron-add.ts";
import { cronPause, cronRemove, cronResume, cronRun } from "./commands/cron/cron-control.ts";
import { cronChange } from "./commands/cron/cron-change.ts";
import { cronList } from "./commands/cron/cron-list.ts";
import { cronHistory, cronNext } from "./commands/cron/cron-times.ts";
import { deadEdit } from "./commands/dead/dead-edit.ts";
import { deadList } from "./commands/dead/dead-list.ts";
import { deadDiscard, deadRetry } from "./commands/dead/dead-settle.ts";
import { deadShow } from "./commands/dead/dead-show.ts";
import { dev } from "./commands/dev.ts";
import { docs } from "./commands/docs.ts";
import { doctor } from "./commands/doctor.ts";
import { enqueue } from "./commands/enqueue.ts";
import { errors } from "./commands/errors.ts";
import { healthcheck } from "./commands/healthcheck.ts";
import { jobsCancel } from "./commands/jobs/jobs-cancel.ts";
import { jobsGet } from "./commands/jobs/jobs-get.ts";
import { jobsList } from "./commands/jobs/jobs-list.ts";
import { jobsLogs } from "./commands/jobs/jobs-logs.ts";
import { jobsProgress } from "./commands/jobs/jobs-progress.ts";
import { jobsReschedule } from "./commands/jobs/jobs-reschedule.ts";
import { jobsWatch } from "./commands/jobs/jobs-watch.ts";
import { locksList } from "./commands/fleet/locks-list.ts";
import { locksRelease } from "./commands/fleet/locks-release.ts";
import { limits } from "./commands/queues/limits.ts";
import {
  machinesRemove,
  machinesSend,
  machinesStart,
  machinesStop,
} from "./commands/machines/machines-change.ts";
import { machinesChart } from "./commands/machines/machines-chart.ts";
import { machinesGet } from "./commands/machines/machines-get.ts";
import { machinesList } from "./commands/machines/machines-list.ts";
import { machinesMigrate } from "./commands/machines/machines-migrate.ts";
import { nodesQuiet, nodesResume, nodesStop } from "./commands/fleet/nodes-change.ts";
import { nodesList } from "./commands/fleet/nodes-list.ts";
import { queuesCreate } from "./commands/queues/queues-create.ts";
import {
  operationsGet,
  operationsList,
  operationsRun,
  operationsStop,
  operationsUndo,
} from "./commands/fleet/operations.ts";
import { outboxAdopt } from "./commands/outbox/outbox-adopt.ts";
import { outboxMigrate } from "./commands/outbox/outbox-migrate.ts";
import { outboxRelay } from "./commands/outbox/outbox-relay.ts";
import { outboxRetry } from "./commands/outbox/outbox-retry.ts";
import { outboxStatus } from "./commands/outbox/outbox-status.ts";
import { queuesDrain } from "./commands/queues/queues-drain.ts";
import { queuesPause, queuesResume } from "./commands/queues/queues-pause.ts";
import { queuesPurge } from "./commands/queues/queues-purge.ts";
import { queuesSet } from "./commands/queues/queues-set.ts";
import { queues } from "./commands/queues/queues.ts";
import { records } from "./commands/records.ts";
import { run } from "./commands/run.ts";
import { signal } from "./commands/jobs/signal.ts";
import { stepsCheck } from "./commands/steps-check.ts";
import { top } from "./commands/top.ts";
import { ui } from "./commands/ui.ts";

/** Every command, in the order of `--help`. */
export const COMMANDS: readonly Command[] = [
  dev,
  run,
  enqueue,
  signal,
  queues,
  queuesCreate,
  queuesPause,
  queuesResume,
  queuesDrain,
  queuesPurge,
  queuesSet,
  limits,
  jobsGet,
  jobsList,
  jobsProgress,
  jobsLogs,
  jobsWatch,
  jobsCancel,
  jobsReschedule,
  errors,
  deadList,
  deadShow,
  deadRetry,
  deadDiscard,
  deadEdit,
  operationsList,
  operationsGet,
  operationsRun,
  operationsStop,
  operationsUndo,
  cronList,
  cronAdd,
  cronChange,
  cronRemove,
  cronPause,
  cronResume,
  cronRun,
  cronNext,
  cronHistory,
  machinesList,
  machinesGet,
  machinesChart,
  machinesStart,
  machinesSend,
  machinesStop,
  machinesRemove,
  machinesMigrate,
  stepsCheck,
  locksList,
  locksRelease,
  records,
  outboxMigrate,
  outboxRelay,
  outboxStatus,
  outboxRetry,
  outboxAdopt,
  nodesList,
  nodesQuiet,
  nodesResume,
  nodesStop,
  auditList,
  top,
  ui,
  healthcheck,
  doctor,
  bench,
  configPrint,
  docs,
  completion,
];
