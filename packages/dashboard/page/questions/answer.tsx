import type { UseQueryResult } from "@tanstack/react-query";
import { type ReactElement, type ReactNode, useEffect, useRef } from "react";
import { ApiFailure } from "./api.ts";

interface AnswerProps<View> {
  readonly of: UseQueryResult<View>;
  readonly children: (view: View) => ReactNode;
}

/** What was answered; while there is nothing yet, or where it failed, that. */
export function Answer<View>({ of, children }: AnswerProps<View>): ReactElement {
  const { data, error } = of;
  return (
    <>
      {error === null ? null : (
        <p className="notice critical" role="alert">
          {error.message}
          {error instanceof ApiFailure ? <code> {error.code}</code> : null}
        </p>
      )}
      {data === undefined ? (
        error === null ? (
          <p className="quiet">Loading…</p>
        ) : null
      ) : (
        children(data)
      )}
    </>
  );
}

/**
 * What stands below something that is asked for by itself, and whose height nobody knows before:
 * it comes once that has its place, and does not jump.
 */
export function After({
  of: { data, error },
  children,
}: {
  readonly of: Pick<UseQueryResult, "data" | "error">;
  readonly children: ReactNode;
}): ReactNode {
  return data === undefined && error === null ? null : children;
}

interface PageProps {
  readonly title: string;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}

/** A page under its heading, which takes the focus: a reader hears where they are. */
export function Page({ title, actions, children }: PageProps): ReactElement {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · Millrace`;
    heading.current?.focus();
  }, [title]);
  return (
    <>
      <div className="head">
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {actions === undefined ? null : <div className="actions">{actions}</div>}
      </div>
      {children}
    </>
  );
}
