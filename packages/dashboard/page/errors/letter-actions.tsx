import type { ReactElement } from "react";
import type { DeadFilterView } from "../../src/api/views/dead-views.ts";
import { Matching, OperationAction } from "../actions/operation-action.tsx";

/** What can be done with all letters that a filter means, counted first. */
export function LetterActions({
  filter,
  which,
}: {
  readonly filter: DeadFilterView;
  /** `40 dead letters`. */
  readonly which: string;
}): ReactElement {
  const retry = { kind: "dead-retry", filter };
  const discard = { kind: "dead-discard", filter };
  return (
    <>
      <OperationAction label="Retry all" question={`Retry ${which}?`} target={retry}>
        <Matching target={retry} one="letter" />
        <p>
          Each job is enqueued again with the same payload and its attempts at zero, and its letter
          is removed. Letters that come meanwhile are left alone. For seven days the
          operation&rsquo;s page can undo it, for jobs that still wait then.
        </p>
      </OperationAction>
      <OperationAction label="Discard all" danger question={`Discard ${which}?`} target={discard}>
        <Matching target={discard} one="letter" />
        <p>
          The history keeps that the jobs died. For seven days the operation&rsquo;s page can undo
          it; then their payloads are deleted for good.
        </p>
      </OperationAction>
    </>
  );
}
