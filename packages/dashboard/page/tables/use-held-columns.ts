import { type RefObject, useLayoutEffect, useRef } from "react";

/**
 * Holds the columns of a table as wide as they are, while somebody is in it: what stands in one of
 * them may grow each second, and would move the links beside it. What does not fit is cut.
 *
 * @param asked what whoever is in it asked for last: then they are as wide as that needs
 */
export function useHeldColumns(isHeld: boolean, asked: string): RefObject<HTMLTableElement | null> {
  const ref = useRef<HTMLTableElement>(null);
  useLayoutEffect(() => {
    const table = ref.current;
    if (!isHeld || table === null) return;
    const cells = [...table.querySelectorAll<HTMLElement>("thead th")];
    const widthOf = (element: Element): string => `${element.getBoundingClientRect().width}px`;
    const widths = [table, ...cells].map((element) => [element, widthOf(element)] as const);
    for (const [element, width] of widths) element.style.width = width;
    table.classList.add("held");
    return () => {
      table.classList.remove("held");
      for (const [element] of widths) element.style.width = "";
    };
  }, [isHeld, asked]);
  return ref;
}
