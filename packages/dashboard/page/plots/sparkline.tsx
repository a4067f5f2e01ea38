import type { ReactElement } from "react";
import { count } from "../words/number.ts";

const WIDTH = 96;
const HEIGHT = 20;

/** Small bars over time; in words for who does not see them. */
export function Sparkline({
  bars,
  words,
  colour = "critical",
  shown = count,
}: {
  readonly bars: readonly number[];
  readonly words: string;
  readonly colour?: "critical" | "warning" | "busy";
  /** A bar's value, under a pointer. */
  readonly shown?: (value: number) => string;
}): ReactElement {
  const most = Math.max(1, ...bars);
  const step = WIDTH / bars.length;
  return (
    <svg
      className={`sparkline ${colour}`}
      width={WIDTH}
      height={HEIGHT}
      role="img"
      aria-label={words}
    >
      <title>{words}</title>
      <line x1={0} x2={WIDTH} y1={HEIGHT - 0.5} y2={HEIGHT - 0.5} />
      {bars.map((value, n) => {
        // One is seen beside a thousand.
        const height = value === 0 ? 0 : Math.max(3, (value / most) * (HEIGHT - 1));
        return (
          <rect key={n} x={n * step} y={HEIGHT - height} width={step - 1} height={height}>
            <title>{shown(value)}</title>
          </rect>
        );
      })}
    </svg>
  );
}
