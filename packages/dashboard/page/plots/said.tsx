import { Fragment, type ReactElement } from "react";
import { Link } from "wouter";

/** A number that leads to the list of what it counts. */
export interface SaidNumber {
  readonly text: string;
  /** An address in the dashboard. */
  readonly to: string;
}

/** What a plot comes to in words, for who does not see its lines or wants to know more. */
export type Said = readonly (string | SaidNumber)[];

export function SaidWords({ of }: { readonly of: Said }): ReactElement {
  return (
    <>
      {of.map((part, at) => (
        // Its place tells a part: they change only in their numbers.
        <Fragment key={at}>
          {typeof part === "string" ? part : <Link href={part.to}>{part.text}</Link>}
        </Fragment>
      ))}
    </>
  );
}
