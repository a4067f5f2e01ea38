import { type RecordedError, recordError } from "../errors/recorded-error.ts";
import { revive } from "./chart-step.ts";
import type { MachineDefinition } from "./define-machine.ts";
import type { MachineDocument } from "./machine-document.ts";
import { ofThisVersion } from "./step-machine.ts";

/** Whether a stored machine could go on with a definition. */
export interface StoredCheck {
  readonly isMigrated: boolean;
  /** Why it could not. */
  readonly error?: RecordedError;
}

/**
 * Tries a definition on a stored machine, before it is deployed: its version and migration, whether
 * the chart has its state, and whether there is a job for each actor that it waits for.
 */
export function checkStored(definition: MachineDefinition, document: MachineDocument): StoredCheck {
  const isMigrated = document.version !== definition.version;
  try {
    const migrated = ofThisVersion(definition, document);
    revive(definition, migrated);
    const lost = Object.values(migrated.children).find(({ src }) => !(src in definition.jobs));
    if (lost === undefined) return { isMigrated };
    throw new Error(`It waits for the actor ${lost.src}, which the chart has no more.`);
  } catch (error) {
    const { type, message } = recordError(error, "Error");
    return { isMigrated, error: { type, message } };
  }
}
