import type { ReactElement, ReactNode } from "react";

/** A box that says that more is meant. */
export function Tick({
  ticked,
  set,
  children,
}: {
  readonly ticked: boolean;
  readonly set: (ticked: boolean) => void;
  readonly children: ReactNode;
}): ReactElement {
  return (
    <label className="tick">
      <input type="checkbox" checked={ticked} onChange={({ target }) => set(target.checked)} />
      {children}
    </label>
  );
}
