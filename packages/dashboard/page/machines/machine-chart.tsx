import { type ReactElement, useMemo } from "react";
import type { ChartView, ChartWayView, MachineView } from "../../src/api/views/machine-views.ts";
import {
  chartLayout,
  isDrawable,
  LINE,
  type Place,
  type PlacedState,
  type PlacedWay,
} from "./chart-layout.ts";
import { type DataColumn, DataTable } from "../tables/data-table.tsx";
import { isIn, takenTransitions } from "./chart-words.ts";

/** What is lit of a chart. */
export interface Lit {
  /** Paths of the innermost states that a machine is in. */
  readonly active?: readonly string[];
  /** Its last transitions, the newest first. */
  readonly trail?: MachineView["trail"];
  /** Machines in each state, by its path. */
  readonly counts?: Readonly<Record<string, number>>;
}

/** A machine's chart, drawn, with what is lit of it, and as a table. */
export function MachineChartDrawn({
  chart,
  lit,
  label,
  of = "",
}: {
  readonly chart: ChartView;
  readonly lit: Lit;
  /** Says in words what the picture shows. */
  readonly label: string;
  /** Tells the drawings of one page apart: "of a node". */
  readonly of?: string;
}): ReactElement {
  return (
    <>
      {isDrawable(chart) ? (
        <div
          className="scroll graph chart"
          role="region"
          aria-label={`Drawing ${of}`.trim()}
          tabIndex={0}
        >
          <Picture chart={chart} lit={lit} label={label} />
        </div>
      ) : (
        <p className="quiet">
          {label}. The chart is too large to be drawn: it has {chart.states.length} states.
        </p>
      )}
      <details>
        <summary>The chart as a table</summary>
        <DataTable
          label={`Ways of the chart ${of}`.trim()}
          columns={WAYS}
          rows={chart.transitions.map((way, place) => ({ ...way, place }))}
          rowKey={({ place }) => String(place)}
          empty={<p>No way leads from one of its states to another.</p>}
        />
      </details>
    </>
  );
}

function Picture({
  chart,
  lit: { active = [], trail = [], counts = {} },
  label,
}: {
  readonly chart: ChartView;
  readonly lit: Lit;
  readonly label: string;
}): ReactElement {
  const { groups, boxes, ways, start, anyState, width, height } = useMemo(
    () => chartLayout(chart),
    [chart],
  );
  const taken = takenTransitions(chart, trail);
  const passed = trail.flatMap((passage) => passage.active);
  const stateClass = ({ state: { path, kind } }: PlacedState): string =>
    [
      kind,
      active.some((one) => isIn(one, path)) ? "active" : "",
      passed.some((one) => isIn(one, path)) ? "passed" : "",
    ].join(" ");
  return (
    <svg role="img" aria-label={label} {...{ width, height }} viewBox={`0 0 ${width} ${height}`}>
      <defs>
        <Arrow id="arrow" />
        <Arrow id="arrow-taken" />
      </defs>
      {groups.map((group) => (
        <g key={group.state.path} className={stateClass(group)}>
          <rect {...corner(group)} rx={8} className="group" />
          <text x={group.title.x} y={group.title.y + 4} className="title">
            {group.name}
          </text>
        </g>
      ))}
      {ways.map((way) => (
        <Way key={way.key} way={way} isTaken={way.transitions.some((one) => taken.has(one))} />
      ))}
      <circle cx={start.x} cy={start.y} r={start.width / 2} className="start" />
      {anyState === undefined ? null : (
        <text x={anyState.x} y={anyState.y + 4} className="title">
          any state
        </text>
      )}
      {boxes.map((box) => (
        <Box
          key={box.state.path}
          box={box}
          className={stateClass(box)}
          count={Object.hasOwn(counts, box.state.path) ? counts[box.state.path] : undefined}
        />
      ))}
    </svg>
  );
}

function Box({
  box,
  className,
  count,
}: {
  readonly box: PlacedState;
  readonly className: string;
  readonly count: number | undefined;
}): ReactElement {
  const { x, y, name, state } = box;
  const first = y + 4 - (state.invokes.length * LINE) / 2;
  const { x: left, y: top, width, height } = corner(box);
  return (
    <g className={className}>
      <rect {...{ x: left, y: top, width, height }} rx={6} />
      {state.kind === "final" ? (
        <rect
          {...{ x: left + 3, y: top + 3, width: width - 6, height: height - 6 }}
          rx={4}
          className="inner"
        />
      ) : null}
      <text x={x} y={first}>
        {name}
      </text>
      {state.invokes.map((src, index) => (
        <text key={src} x={x} y={first + LINE * (index + 1)} className="id">
          {src}
        </text>
      ))}
      {count === undefined ? null : (
        <text x={left + width} y={top - 4} className="count">
          {count.toLocaleString("en")}
        </text>
      )}
    </g>
  );
}

function Way({
  way: { points, labels, x, y },
  isTaken,
}: {
  readonly way: PlacedWay;
  readonly isTaken: boolean;
}): ReactElement {
  const top = y + 4 - ((labels.length - 1) * LINE) / 2;
  return (
    <g className={isTaken ? "way taken" : labels.length === 0 ? "way beginning" : "way"}>
      <polyline
        points={points.map((point) => `${point.x},${point.y}`).join(" ")}
        markerEnd={isTaken ? "url(#arrow-taken)" : "url(#arrow)"}
      />
      {labels.map((label, index) => (
        <text key={`${index} ${label}`} x={x} y={top + LINE * index}>
          {label}
        </text>
      ))}
    </g>
  );
}

function Arrow({ id }: { readonly id: string }): ReactElement {
  return (
    <marker
      {...{ id, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 8, markerHeight: 8 }}
      orient="auto"
      markerUnits="userSpaceOnUse"
    >
      <path d="M0,0 L8,4 L0,8 z" />
    </marker>
  );
}

function corner({ x, y, width, height }: Place): Place {
  return { x: x - width / 2, y: y - height / 2, width, height };
}

type WayRow = ChartWayView & { readonly place: number };

const WAYS: readonly DataColumn<WayRow>[] = [
  { id: "from", title: "From", value: ({ from }) => (from === "" ? "any state" : from) },
  { id: "label", title: "When", value: ({ label }) => label },
  { id: "guard", title: "If", value: ({ guard = "" }) => guard },
  { id: "to", title: "To", value: ({ to }) => to.join(", ") },
];
