import type { MillraceNode } from "./node.ts";

const SIGNALS = ["SIGTERM", "SIGINT"] as const;

/** The process, as far as signals go; a test gives an `EventEmitter`. */
interface SignalSource {
  on(signal: (typeof SIGNALS)[number], listener: () => void): unknown;
  off(signal: (typeof SIGNALS)[number], listener: () => void): unknown;
}

/**
 * Stops a node gracefully at the first SIGTERM or SIGINT and at once at the second.
 *
 * @returns a function that takes the handlers away again; they go by themselves when the node has
 *   stopped
 */
export function stopOnSignals(node: MillraceNode, source: SignalSource = process): () => void {
  let signals = 0;
  const hear = (): void => {
    signals += 1;
    void node.stop({ immediate: signals > 1 });
  };
  const forget = (): void => {
    for (const signal of SIGNALS) source.off(signal, hear);
  };
  for (const signal of SIGNALS) source.on(signal, hear);
  void node.stopped.then(forget);
  return forget;
}
