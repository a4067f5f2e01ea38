import type { AttemptTrace, Delivery, Settlement, SettlementInput } from "@millrace/core";
import type { Admission } from "../admission.ts";
import type { ExecutionHost } from "../execution-host.ts";
import type { ProgressReporter } from "../attempt/progress-reporter.ts";

/** What one settlement is about, and what it needs. */
export interface JobSettlementOptions {
  readonly host: ExecutionHost;
  readonly delivery: Delivery;
  readonly input: SettlementInput;
  /** What is to be carried out. */
  readonly settlement: Settlement;
  /** Of a message that could be read. */
  readonly admission: Pick<Admission, "recall" | "found" | "entered" | "isQuarantined"> | undefined;
  /** Of an attempt that is traced; its end is told here. */
  readonly trace: AttemptTrace | undefined;
  /** Where the handler has reported its progress. */
  readonly progress: ProgressReporter | undefined;
  /** The line was lost while it was here, and the server may have handed it to another. */
  readonly acrossOutage: boolean;
}
