import { type Clock, type EventBus, type MetricsCollector, noMetrics } from "@millrace/core";

/** What is unready by the time that passes, and by nothing that happens, is found out by then. */
const EVERY_MS = 1_000;

export interface ReadinessOptions {
  readonly clock: Pick<Clock, "setTimer">;
  readonly metrics: MetricsCollector;
  readonly events: Pick<EventBus, "on">;
  /** As `/readyz` answers. */
  readonly isReady: () => boolean;
  /** The node has ended: nothing more is told. */
  readonly hasEnded: () => boolean;
}

/**
 * Keeps the metric `millrace_node_ready` at what `/readyz` answers: in an outage a node is alive
 * and unready, and whoever is woken at night is woken by the metric. Looks when the node's state or
 * its connection changes, and every second from the first of them until the node has ended.
 */
export function tellReadiness(options: ReadinessOptions): void {
  const { clock, metrics, events, isReady, hasEnded } = options;
  // Then there is nobody to tell, and no timer may keep anything waiting.
  if (metrics === noMetrics) return;
  let told: boolean | undefined;
  let timer: ReturnType<Clock["setTimer"]> | undefined;
  const look = (): void => {
    timer?.cancel();
    const isOver = hasEnded();
    if (isOver) for (const unlisten of unlistens) unlisten();
    else timer = clock.setTimer(EVERY_MS, look);
    const ready = !isOver && isReadyFor(isReady);
    if (ready !== told) metrics.gauge("millrace_node_ready", {}, ready ? 1 : 0);
    told = ready;
  };
  const unlistens = [events.on("node.state", look), events.on("broker.status", look)];
}

/** A fault in what is reported ends no node: a timer looks, and nobody would catch it. */
function isReadyFor(isReady: () => boolean): boolean {
  try {
    return isReady();
  } catch {
    return false;
  }
}
