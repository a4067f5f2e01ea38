import type { Clock } from "@millrace/core";

/** A scrape waits no longer; what comes later is in the next one. */
const PATIENCE_MS = 2_000;

/** @param reading never rejects */
export function patientFor(reading: Promise<unknown>, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const patience = clock.setTimer(PATIENCE_MS, resolve);
    void reading.then(() => {
      patience.cancel();
      resolve();
    });
  });
}
