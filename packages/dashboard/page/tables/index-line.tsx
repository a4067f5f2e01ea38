import type { ReactElement } from "react";
import type { IndexView } from "../../src/api/views/search-views.ts";
import { Action } from "../actions/action.tsx";
import { count } from "../words/number.ts";
import { useIndex, useSession } from "../questions/questions.ts";
import { Moment } from "../words/time.tsx";

/** What the list can know of: how far the index is, and how far it goes back. */
export function IndexLine(): ReactElement | null {
  const session = useSession().data;
  const index = useIndex(session?.search === true).data;
  if (session === undefined) return null;
  if (!session.search)
    return (
      <p className="quiet">
        There is no index of jobs here, so only the latest are looked at, and not what is in their
        payloads.
      </p>
    );
  if (index === undefined)
    return <p className="quiet index">The index of jobs is asked how far it is.</p>;
  return (
    <div className={index.state === "failing" ? "notice warning" : "quiet index"}>
      <span>
        {wordsOf(index)}
        {index.oldestAt === undefined ? null : (
          <>
            , the oldest from <Moment at={index.oldestAt} />
          </>
        )}
        .
      </span>{" "}
      <Action
        label="Rebuild the index"
        path="search/rebuild"
        question="Read all jobs anew?"
        done={() => "The index is made anew."}
      >
        <p>
          The index forgets all and reads the history again. What finished jobs were given is not in
          the history: they can no longer be found by their payloads.
        </p>
      </Action>
    </div>
  );
}

function wordsOf({ state, behind, jobs, problem, unheard }: IndexView): string {
  const has = `The index has ${count(jobs)} jobs`;
  const missed = unheard === 0 ? "" : `, ${count(unheard)} perhaps without their payloads`;
  if (state === "failing") return `${has} and can’t go on (${problem ?? "no reason is known"})`;
  if (state === "catching-up") return `${has} and reads ${count(behind)} records that it lacks`;
  return `${has} and is up to date${missed}`;
}
