import type { ReactElement } from "react";

/** A value as text. React writes it as text, whatever is in it. */
export function Json({
  value,
  label,
}: {
  readonly value: unknown;
  readonly label: string;
}): ReactElement {
  return (
    <pre tabIndex={0} role="region" aria-label={`${label} as JSON`}>
      {JSON.stringify(value, undefined, 2)}
    </pre>
  );
}
