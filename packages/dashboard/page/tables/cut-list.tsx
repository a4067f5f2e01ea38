import type { ReactElement, ReactNode } from "react";

/** Below a list that ends where it was cut: what it has, and where the rest is. */
export function CutList({
  of: rows,
  most,
  children,
}: {
  readonly of: readonly unknown[];
  readonly most: number;
  readonly children: ReactNode;
}): ReactElement | null {
  return rows.length < most ? null : <p className="quiet">{children}</p>;
}
