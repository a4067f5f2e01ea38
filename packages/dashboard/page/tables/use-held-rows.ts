import { type FocusEvent, type RefObject, useEffect, useRef, useState } from "react";
import { heldRows } from "./held-rows.ts";

export interface Holding<Row> {
  readonly rows: readonly Row[];
  readonly waiting: number;
  /** Somebody is in the list. */
  readonly isHeld: boolean;
  /** How often they have asked for what waits. */
  readonly taken: number;
  /** Takes in what waits, though somebody is in the list. */
  takeIn(): void;
  /** Of the element around the list, and all that belongs to it. */
  readonly around: {
    readonly ref: RefObject<HTMLDivElement | null>;
    onPointerEnter(): void;
    onPointerLeave(): void;
    onFocus(): void;
    onBlur(event: FocusEvent): void;
  };
}

/**
 * Holds the rows of a list in their places while a pointer or the focus is in it.
 *
 * @param order what they are sorted by: who sorts anew wants them to move
 */
export function useHeldRows<Row extends { readonly id: string }>(
  now: readonly Row[],
  order: string,
  keepsGone: boolean,
): Holding<Row> {
  const around = useRef<HTMLDivElement>(null);
  const [isPointedAt, setPointedAt] = useState(false);
  const [hasFocus, setFocus] = useState(false);
  const [taken, setTaken] = useState(0);
  const shown = useRef<{ readonly rows: readonly Row[]; readonly order: string }>(undefined);
  const isHeld = isPointedAt || hasFocus;
  const before = shown.current;
  const held =
    isHeld && before !== undefined && before.order === order
      ? heldRows(before.rows, now, keepsGone)
      : { rows: now, waiting: 0 };
  useEffect(() => {
    shown.current = { rows: held.rows, order };
    // What had it may be gone: nobody tells of that.
    if (hasFocus && around.current?.contains(document.activeElement) !== true) setFocus(false);
  });
  return {
    ...held,
    ...{ isHeld, taken },
    takeIn: () => {
      shown.current = undefined;
      setTaken((times) => times + 1);
    },
    around: {
      ref: around,
      onPointerEnter: () => setPointedAt(true),
      onPointerLeave: () => setPointedAt(false),
      onFocus: () => setFocus(true),
      onBlur: ({ relatedTarget }) => {
        if (around.current?.contains(relatedTarget) !== true) setFocus(false);
      },
    },
  };
}
