import type { ReactElement } from "react";
import { count, counted } from "../words/number.ts";
import { OperationAction, TooLongToCount } from "./operation-action.tsx";
import { type JobsFilter, useJobCount, useMatching, useSession } from "../questions/questions.ts";
import { deadWord, whichDead } from "./which-jobs.ts";

/** Gives all dead jobs that match a new life. What has not died stays as it is. */
export function RetryAll({ filter: asked }: { readonly filter: JobsFilter }): ReactElement {
  const { filter, words } = whichDead(asked);
  const target = { kind: "dead-retry", filter };
  return (
    <OperationAction label="Retry all that match" question={`Retry ${words}?`} target={target}>
      <Retriable asked={asked} target={target} />
      <p>
        Each is enqueued again with the same payload and its attempts at zero, and its dead letter
        is removed. For seven days the operation&rsquo;s page can undo it, for jobs that still wait
        then.
      </p>
    </OperationAction>
  );
}

/** How many of those that match have a dead letter: no others can be retried. */
function Retriable({
  asked,
  target,
}: {
  readonly asked: JobsFilter;
  readonly target: object;
}): ReactElement {
  const letters = useMatching(target);
  const isOfAll = useSession().data?.search === true && asked.state === "";
  const all = useJobCount(asked, isOfAll);
  const trouble = letters.error ?? all.error;
  if (trouble !== null)
    return (
      <p className="notice critical" role="alert">
        {trouble.message}
      </p>
    );
  if (letters.data === undefined || (isOfAll && all.data === undefined)) return <p>Counting…</p>;
  if (letters.data.more === true) return <TooLongToCount />;
  const dead = letters.data.count;
  if (all.data === undefined)
    return (
      <p>
        <strong>{counted(dead, `${deadWord(asked)} job`)} can be retried now.</strong>
      </p>
    );
  return (
    <p>
      <strong>
        {count(dead)} of {all.data.more === true ? "more than " : ""}
        {counted(all.data.count, "job")} that match can be retried now.
      </strong>
      {dead < all.data.count || all.data.more === true
        ? " The others are not dead, or their dead letters are gone."
        : null}
    </p>
  );
}
