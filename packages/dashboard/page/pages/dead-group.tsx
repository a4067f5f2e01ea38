import type { ReactElement } from "react";
import { Link, useSearchParams } from "wouter";
import type { DeadFilterView, DeadGroupView, DeadRowView } from "../../src/api/dead-views.ts";
import { groupAddress, jobAddress, jobsAddress, ofNode } from "../addresses.ts";
import { Answer, Page } from "../answer.tsx";
import { type DataColumn, DataTable } from "../data-table.tsx";
import { LetterActions } from "../letter-actions.tsx";
import { counted } from "../number.ts";
import { useDeadGroups, useJob, useLetters } from "../questions.ts";
import { Moment } from "../time.tsx";

type Group = Pick<DeadGroupView, "queue" | "name" | "reason" | "error" | "fingerprint">;

/** One cause: an example with its stack, the letters, and what can be done with all of them. */
export function DeadGroupPage(): ReactElement {
  const [search] = useSearchParams();
  const group: Group = {
    queue: search.get("queue") ?? "",
    name: search.get("name"),
    reason: search.get("reason") ?? "",
    error: search.get("error"),
    fingerprint: search.get("fingerprint"),
  };
  const filter = search.get("filter") ?? "";
  // Asked for alone: of very many causes, a page has the most frequent ones only.
  const groups = useDeadGroups(group.queue, termsOf(group, filter));
  const { fingerprint, ...ofType } = group;
  const meant: DeadFilterView = {
    ...ofType,
    ...(fingerprint === null ? {} : { fingerprint }),
    ...(filter === "" ? {} : { where: filter }),
  };
  const letters = useLetters(meant);
  const found = together((groups.data ?? []).filter((one) => isOf(one, group)));
  return (
    <Page
      title={`${group.error ?? group.reason} in ${group.queue}`}
      actions={
        found === undefined ? undefined : (
          <LetterActions filter={meant} which={counted(found.count, "dead letter")} />
        )
      }
    >
      <p>
        <Link href="/dead">All causes</Link> ·{" "}
        <Link href={jobsAddress({ queue: group.queue, name: group.name ?? "" })}>
          What was settled last of {group.name ?? group.queue}
        </Link>
      </p>
      {found === undefined ? null : (
        <>
          <p>
            {counted(found.count, "letter")} of <code>{found.name ?? "?"}</code> for{" "}
            <strong>{found.reason}</strong>, the last <Moment at={found.lastAt} />.
          </p>
          <Cause of={found} filter={filter} />
          {filter === "" ? null : (
            <p className="quiet">
              Only those that fit {filter}.{" "}
              <Link href={groupAddress(group)}>All of this cause</Link>
            </p>
          )}
          <Example queue={found.queue} id={found.lastId} />
        </>
      )}
      <Answer of={letters}>
        {(rows) => (
          <section aria-labelledby="letters">
            <h2 id="letters">Letters, the oldest first</h2>
            <DataTable
              label="Letters"
              columns={COLUMNS}
              rows={rows}
              rowKey={({ queue, id }) => `${queue}/${id}`}
              empty={<p>No letter of this cause is left.</p>}
            />
          </section>
        )}
      </Answer>
    </Page>
  );
}

function termsOf({ fingerprint }: Group, filter: string): string {
  return fingerprint === null ? filter : both(`fingerprint:${fingerprint}`, filter);
}

/** In brackets because the terms may hold an OR. */
function both(own: string, filter: string): string {
  return filter.trim() === "" ? own : `(${filter}) ${own}`;
}

function isOf(one: DeadGroupView, { name, reason, error, fingerprint }: Group): boolean {
  return (
    one.name === name &&
    one.reason === reason &&
    one.error === error &&
    (fingerprint === null || one.fingerprint === fingerprint)
  );
}

/** Without a fingerprint several causes may be meant: how many letters, and the last of them. */
function together(groups: readonly DeadGroupView[]): DeadGroupView | undefined {
  const [last] = groups.toSorted((a, b) => b.lastAt - a.lastAt);
  if (last === undefined) return undefined;
  const nodes = new Map<string, number>();
  for (const one of groups.flatMap((group) => group.nodes))
    nodes.set(one.node, (nodes.get(one.node) ?? 0) + one.count);
  return {
    ...last,
    count: groups.reduce((sum, { count }) => sum + count, 0),
    nodes: [...nodes].map(([node, count]) => ({ node, count })).sort((a, b) => b.count - a.count),
    nodeCount: Math.max(nodes.size, ...groups.map(({ nodeCount }) => nodeCount)),
  };
}

/** What the letters have in common, and where they died. */
function Cause({
  of: group,
  filter,
}: {
  readonly of: DeadGroupView;
  readonly filter: string;
}): ReactElement {
  const { pattern, frame, fingerprint } = group;
  return (
    <dl className="facts">
      {pattern === undefined ? null : (
        <>
          <dt>Message</dt>
          <dd>{pattern}</dd>
        </>
      )}
      {frame === undefined ? null : (
        <>
          <dt>Failed in</dt>
          <dd>
            <code>{frame}</code>
          </dd>
        </>
      )}
      {fingerprint === null ? null : (
        <>
          <dt>Fingerprint</dt>
          <dd>
            <code>{fingerprint}</code>
          </dd>
        </>
      )}
      <dt>Died on</dt>
      <dd>
        <DiedOn group={group} filter={filter} />
      </dd>
    </dl>
  );
}

/** Each node leads to the letters of this cause that it left. */
function DiedOn({
  group,
  filter,
}: {
  readonly group: DeadGroupView;
  readonly filter: string;
}): ReactElement {
  const { nodes, nodeCount } = group;
  const more = nodeCount - nodes.length;
  return (
    <>
      {nodes.map(({ node, count: letters }) => (
        <span key={node} className="item">
          <Link href={groupAddress(group, both(ofNode(node), filter))}>{node}</Link>{" "}
          <span className="quiet">{counted(letters, "letter")}</span>
        </span>
      ))}
      {more > 0 ? <span className="quiet">and {counted(more, "other node")}</span> : null}
    </>
  );
}

function Example({ queue, id }: { readonly queue: string; readonly id: string }): ReactElement {
  const job = useJob(queue, id);
  const error = job.data?.letter?.error;
  return (
    <section aria-labelledby="example">
      <h2 id="example">
        The last one: <Link href={jobAddress({ queue, id })}>{id}</Link>
      </h2>
      {error === undefined ? null : (
        <pre tabIndex={0} role="region" aria-label="Stack of the last one">
          {error.stack ?? `${error.type}: ${error.message}`}
        </pre>
      )}
    </section>
  );
}

const COLUMNS: readonly DataColumn<DeadRowView>[] = [
  {
    id: "id",
    title: "id",
    value: ({ id }) => id,
    cell: (letter) => (
      <Link className="id" href={jobAddress(letter)}>
        {letter.id}
      </Link>
    ),
  },
  { id: "attempts", title: "attempts", align: "right", value: ({ attempts }) => attempts },
  {
    id: "at",
    title: "died",
    align: "right",
    value: ({ at }) => at,
    cell: ({ at }) => <Moment at={at} />,
  },
  {
    id: "message",
    title: "message",
    value: ({ message }) => message,
    cell: ({ message }) => <span className="line">{message}</span>,
  },
];
