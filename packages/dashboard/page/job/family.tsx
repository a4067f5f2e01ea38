import { graphlib, layout } from "@dagrejs/dagre";
import { type ReactElement, useMemo } from "react";
import { Link } from "wouter";
import type { BatchView, FamilyMemberView, FamilyView } from "../../src/api/views/family-views.ts";
import type { RefView } from "../../src/api/views/views.ts";
import { jobAddress } from "../words/addresses.ts";
import { count, counted } from "../words/number.ts";
import { useFamily } from "../questions/questions.ts";

const BOX = { width: 190, height: 52 };
/** Of a box, in characters. */
const LONGEST = 22;

/**
 * Who enqueued the job and what it enqueued, its chain and its batch, drawn. Nothing is drawn of
 * one that is alone.
 */
export function Family({ of }: { readonly of: RefView }): ReactElement | null {
  const { data } = useFamily(of);
  if (data === undefined || (data.members.length < 2 && data.batch === undefined)) return null;
  return (
    <section aria-labelledby="family">
      <h2 id="family">Belongs together</h2>
      {data.batch === undefined ? null : <Batch batch={data.batch} />}
      <Graph family={data} own={`${of.queue}/${of.id}`} />
      {data.more ? (
        <p className="quiet">Only the nearest {data.members.length} are drawn.</p>
      ) : null}
      {data.later === undefined ? null : (
        <p className="quiet">And {count(data.later)} more come later in the chain.</p>
      )}
    </section>
  );
}

function Batch({ batch }: { readonly batch: BatchView }): ReactElement {
  const { id, total, left, counts, callback } = batch;
  const ended = Object.entries(counts).filter(([, number]) => number > 0);
  return (
    <p>
      Batch {id}: {count(total - left)} of {counted(total, "job")} ended
      {ended.length === 0 ? "" : ` (${ended.map(([end, n]) => `${count(n)} ${end}`).join(", ")})`}.
      Then comes <Link href={jobAddress(callback)}>{callback.id}</Link>.
    </p>
  );
}

function Graph({
  family,
  own,
}: {
  readonly family: FamilyView;
  readonly own: string;
}): ReactElement {
  const { boxes, lines, width, height } = useMemo(() => laidOut(family), [family]);
  return (
    <div className="scroll graph" role="region" aria-label="Graph of jobs" tabIndex={0}>
      <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`}>
        <g aria-hidden="true">
          {lines.map(({ key, points }) => (
            <polyline key={key} points={points.map(({ x, y }) => `${x},${y}`).join(" ")} />
          ))}
        </g>
        {boxes.map(({ member, x, y }) => (
          <Box key={member.key} member={member} x={x} y={y} isOwn={member.key === own} />
        ))}
      </svg>
    </div>
  );
}

function Box({
  member,
  x,
  y,
  isOwn,
}: {
  readonly member: FamilyMemberView;
  readonly x: number;
  readonly y: number;
  readonly isOwn: boolean;
}): ReactElement {
  const { name = "not known any more", state = "", id } = member;
  const line = state === "" ? id : `${state} · ${id}`;
  return (
    <Link
      href={jobAddress(member)}
      // Whoever speaks to their browser says what they see: it is a part of what is read aloud.
      aria-label={`${shortened(name)} ${shortened(line)}, ${id}`}
      aria-current={isOwn ? "page" : undefined}
    >
      <g transform={`translate(${x - BOX.width / 2} ${y - BOX.height / 2})`}>
        <rect {...BOX} rx={6} className={isOwn ? "own" : undefined} />
        <text x={10} y={21}>
          {shortened(name)}
        </text>{" "}
        <text x={10} y={40} className="id">
          {shortened(line)}
        </text>
      </g>
    </Link>
  );
}

function shortened(text: string): string {
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST - 1)}…`;
}

function laidOut({ members, links }: FamilyView) {
  const graph = new graphlib.Graph();
  graph.setGraph({ rankdir: "LR", nodesep: 16, ranksep: 56, marginx: 8, marginy: 8 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const { key } of members) graph.setNode(key, { ...BOX });
  for (const { from, to } of links) graph.setEdge(from, to);
  layout(graph);
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number };
  return {
    ...{ width, height },
    boxes: members.map((member) => {
      const { x, y } = graph.node(member.key) as { readonly x: number; readonly y: number };
      return { member, x, y };
    }),
    lines: links.map(({ from, to }) => {
      const { points } = graph.edge(from, to) as {
        readonly points: readonly { readonly x: number; readonly y: number }[];
      };
      return { key: `${from} ${to}`, points };
    }),
  };
}
