import type { ReactElement, ReactNode } from "react";
import { useLocation } from "wouter";
import { Action } from "./action.tsx";
import { operationAddress } from "../words/addresses.ts";
import { counted } from "../words/number.ts";
import { Unanswered } from "../words/unanswered.tsx";
import { useCounted, useMatching } from "../questions/questions.ts";

interface OperationActionProps {
  readonly label: string;
  readonly question: string;
  readonly target: {
    readonly kind: string;
    readonly filter: object;
    readonly delay?: string;
    readonly at?: string;
  };
  /** What is counted before anybody can confirm it: the target, where that is all that it says. */
  readonly counts?: object;
  readonly danger?: boolean;
  readonly onOpen?: () => void;
  /** What it does to each, and what can't be undone. */
  readonly children: ReactNode;
}

/**
 * Begins a change of many things, and shows how far it is. What stands in the dialog counts them:
 * `Matching`, or what else asks for the same.
 */
export function OperationAction({
  target,
  counts = target,
  children,
  ...action
}: OperationActionProps): ReactElement {
  const [, setLocation] = useLocation();
  const { data, error } = useCounted(counts);
  return (
    <Action
      {...action}
      asksWhy
      path="operations"
      body={data === undefined || data.more === true ? target : { ...target, counted: data.count }}
      isReady={data !== undefined || error !== null}
      done={({ count }) => `An operation on ${counted(count, "thing")} has begun.`}
      afterwards={({ operation }) => {
        if (operation !== undefined) setLocation(operationAddress(operation));
      }}
    >
      {children}
      <p>
        It goes on when this page is closed, and can be stopped on the way: what is left then stays
        as it is.
      </p>
    </Action>
  );
}

/** How many there are now, for whoever is about to change them. */
export function Matching({
  target,
  one,
}: {
  readonly target: OperationActionProps["target"];
  readonly one: string;
}): ReactElement {
  const { data, error } = useMatching(target);
  if (error !== null)
    return (
      <p className="notice critical" role="alert">
        {error.message}
      </p>
    );
  if (data?.more === true) return <TooLongToCount />;
  return (
    <>
      <p>
        {data === undefined ? "Counting…" : <strong>{counted(data.count, one)} match now.</strong>}
      </p>
      <Unanswered nodes={data?.unanswered} />
    </>
  );
}

/** How many there are is not known then, and is not said: "0 match" would be a lie. */
export function TooLongToCount(): ReactElement {
  return <p className="notice warning">To count what matches takes too long here.</p>;
}
