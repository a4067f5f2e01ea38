import type { Command } from "./command.ts";
import { auditList } from "./commands/audit-list.ts";
import { bench } from "./commands/bench.ts";
import { completion } from "./commands/completion.ts";
import { configPrint } from "./commands/config-print.ts";
import { cronAdd } from "./commands/cron-add.ts";
import { cronPause, cronRemove, cronResume, cronRun } from "./commands/cron-change.ts";
import { cronList } from "./commands/cron-list.ts";
import { cronHistory, cronNext } from "./commands/cron-times.ts";
import { deadEdit } from "./commands/dead-edit.ts";
import { deadList } from "./commands/dead-list.ts";
import { deadDiscard, deadRetry } from "./commands/dead-settle.ts";
import { deadShow } from "./commands/dead-show.ts";
import { dev } from "./commands/dev.ts";
import { docs } from "./commands/docs.ts";
import { doctor } from "./commands/doctor.ts";
import { enqueue } from "./commands/enqueue.ts";
import { healthcheck } from "./commands/healthcheck.ts";
import { jobsCancel } from "./commands/jobs-cancel.ts";
import { jobsGet } from "./commands/jobs-get.ts";
import { jobsList } from "./commands/jobs-list.ts";
import { jobsProgress } from "./commands/jobs-progress.ts";
import { jobsReschedule } from "./commands/jobs-reschedule.ts";
import { jobsWatch } from "./commands/jobs-watch.ts";
import { locksList } from "./commands/locks-list.ts";
import { locksRelease } from "./commands/locks-release.ts";
import { limits } from "./commands/limits.ts";
import { nodesQuiet, nodesResume, nodesStop } from "./commands/nodes-change.ts";
import { nodesList } from "./commands/nodes-list.ts";
import { queuesCreate } from "./commands/queues-create.ts";
import {
  operationsGet,
  operationsList,
  operationsRun,
  operationsStop,
} from "./commands/operations.ts";
import { outboxMigrate } from "./commands/outbox-migrate.ts";
import { outboxRelay } from "./commands/outbox-relay.ts";
import { outboxRetry } from "./commands/outbox-retry.ts";
import { outboxStatus } from "./commands/outbox-status.ts";
import { queuesDrain } from "./commands/queues-drain.ts";
import { queuesPause, queuesResume } from "./commands/queues-pause.ts";
import { queuesPurge } from "./commands/queues-purge.ts";
import { queuesSet } from "./commands/queues-set.ts";
import { queues } from "./commands/queues.ts";
import { records } from "./commands/records.ts";
import { run } from "./commands/run.ts";
import { top } from "./commands/top.ts";
import { ui } from "./commands/ui.ts";

/** Every command, in the order of `--help`. */
export const COMMANDS: readonly Command[] = [
  dev,
  run,
  enqueue,
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
  jobsWatch,
  jobsCancel,
  jobsReschedule,
  deadList,
  deadShow,
  deadRetry,
  deadDiscard,
  deadEdit,
  operationsList,
  operationsGet,
  operationsRun,
  operationsStop,
  cronList,
  cronAdd,
  cronRemove,
  cronPause,
  cronResume,
  cronRun,
  cronNext,
  cronHistory,
  locksList,
  locksRelease,
  records,
  outboxMigrate,
  outboxRelay,
  outboxStatus,
  outboxRetry,
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
