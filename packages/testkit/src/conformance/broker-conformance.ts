import { arrivalCases } from "./arrival-cases.ts";
import { batchCases } from "./batch-cases.ts";
import { blockedCases } from "./blocked-cases.ts";
import { connectionCases } from "./connection-cases.ts";
import { deadLetterCases } from "./dead-letter-cases.ts";
import { delayedCases } from "./delayed-cases.ts";
import { documentCases } from "./document-cases.ts";
import { enqueueCases } from "./enqueue-cases.ts";
import { historyCases } from "./history-cases.ts";
import { idsAgainCases } from "./ids-again-cases.ts";
import { jobLogCases } from "./job-log-cases.ts";
import { journalCases } from "./journal-cases.ts";
import { keyCases } from "./key-cases.ts";
import { laneCases } from "./lane-cases.ts";
import { lockCases } from "./lock-cases.ts";
import { lockReleaseCases } from "./lock-release-cases.ts";
import { lookingCases } from "./looking-cases.ts";
import { namingCases } from "./naming-cases.ts";
import { progressCases } from "./progress-cases.ts";
import { queueCases } from "./queue-cases.ts";
import type { ConformanceCase } from "./scene.ts";
import { requeueCases } from "./requeue-cases.ts";
import { settleCases } from "./settle-cases.ts";
import { inboxCases } from "./inbox-cases.ts";
import { signalCases } from "./signal-cases.ts";
import { workCases } from "./work-cases.ts";

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
