import type { MetricsCollector } from "@millrace/core";
import type { OutboxStore } from "../store/outbox-store.ts";

/**
 * Sets the gauges of the outbox whenever they are read.
 *
 * @returns ends it, and their series
 */
export function tellStatus(
  store: Pick<OutboxStore, "status">,
  metrics: MetricsCollector,
): () => void {
  let known: ReadonlySet<string> = new Set();

  async function look(): Promise<void> {
    try {
      const status = await store.status();
      const queues = new Set(status.map(({ queue }) => queue));
      for (const queue of known) if (!queues.has(queue)) set(metrics, queue, undefined);
      for (const one of status) set(metrics, one.queue, one);
      known = queues;
    } catch {
      // Old numbers would look as if the database had been asked.
      forget();
    }
  }

  function forget(): void {
    for (const queue of known) set(metrics, queue, undefined);
    known = new Set();
  }

  const end = metrics.onCollect?.(look);
  return () => {
    end?.();
    forget();
  };
}

function set(
  metrics: MetricsCollector,
  queue: string,
  status:
    | { readonly waiting: number; readonly setAside: number; readonly oldestAgeMs: number }
    | undefined,
): void {
  const ageMs = status?.oldestAgeMs;
  metrics.gauge("millrace_outbox_waiting", { queue }, status?.waiting);
  metrics.gauge("millrace_outbox_set_aside", { queue }, status?.setAside);
  metrics.gauge(
    "millrace_outbox_oldest_age_seconds",
    { queue },
    ageMs === undefined ? undefined : ageMs / 1_000,
  );
}
