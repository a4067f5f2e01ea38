import { arrivalCases } from "./job-cases/arrival-cases.ts";
import { batchCases } from "./store-cases/batch-cases.ts";
import { blockedCases } from "./job-cases/blocked-cases.ts";
import { connectionCases } from "./job-cases/connection-cases.ts";
import { deadLetterCases } from "./job-cases/dead-letter-cases.ts";
import { delayedCases } from "./job-cases/delayed-cases.ts";
import { documentCases } from "./store-cases/document-cases.ts";
import { enqueueCases } from "./job-cases/enqueue-cases.ts";
import { historyCases } from "./store-cases/history-cases.ts";
import { idsAgainCases } from "./job-cases/ids-again-cases.ts";
import { jobLogCases } from "./store-cases/job-log-cases.ts";
import { journalCases } from "./store-cases/journal-cases.ts";
import { keyCases } from "./job-cases/key-cases.ts";
import { laneCases } from "./job-cases/lane-cases.ts";
import { lockCases } from "./store-cases/lock-cases.ts";
import { lockReleaseCases } from "./store-cases/lock-release-cases.ts";
import { lookingCases } from "./job-cases/looking-cases.ts";
import { namingCases } from "./job-cases/naming-cases.ts";
import { progressCases } from "./store-cases/progress-cases.ts";
import { queueCases } from "./job-cases/queue-cases.ts";
import type { ConformanceCase } from "./scene.ts";
import { requeueCases } from "./job-cases/requeue-cases.ts";
import { settleCases } from "./job-cases/settle-cases.ts";
import { inboxCases } from "./store-cases/inbox-cases.ts";
import { signalCases } from "./store-cases/signal-cases.ts";
import { workCases } from "./job-cases/work-cases.ts";

/**
 * What every broker does, as cases for any test runner. They need nothing but a harness; each makes
 * its own queue, and on a real server they may run at the same time.
 *
 * @example
 * for (const { name, run, skip } of brokerConformance) {
 *   const reason = skip?.(harness.capabilities);
 *   test(name, { skip: reason }, () => run(harness));
 * }
 */
export const brokerConformance: readonly ConformanceCase[] = [
  ...enqueueCases,
  ...keyCases,
  ...workCases,
  ...laneCases,
  ...settleCases,
  ...requeueCases,
  ...idsAgainCases,
  ...deadLetterCases,
  ...blockedCases,
  ...batchCases,
  ...journalCases,
  ...signalCases,
  ...inboxCases,
  ...jobLogCases,
  ...historyCases,
  ...lockCases,
  ...lockReleaseCases,
  ...documentCases,
  ...progressCases,
  ...queueCases,
  ...lookingCases,
  ...namingCases,
  ...arrivalCases,
  ...delayedCases,
  ...connectionCases,
];
