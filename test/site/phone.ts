import type { Page } from "playwright-core";

export const PHONE = { width: 360, height: 740 };
/** Below it text is hard to read, CSS pixels. */
const LEAST_TEXT = 12;

/**
 * What a reader with a phone would stumble over on the page that is open: a page that scrolls
 * sideways, text that is too small, texts that lie upon each other.
 */
export async function phoneFaults(page: Page): Promise<readonly string[]> {
  return page.evaluate(`(${inPage.toString()})(${PHONE.width}, ${LEAST_TEXT})`);
}

/** Runs in the page. */
function inPage(width: number, least: number): readonly string[] {
  interface Box {
    left: number;
    right: number;
    top: number;
    bottom: number;
  }
  interface Element {
    readonly tagName: string;
    readonly className: unknown;
    readonly parentElement: Element | null;
    checkVisibility(options: object): boolean;
    closest(selector: string): (Element & { viewBox: { baseVal: { width: number } } }) | null;
    contains(other: Element): boolean;
    getBoundingClientRect(): Box & { width: number };
  }
  interface TextNode {
    readonly textContent: string;
    readonly parentElement: Element;
  }
  const { document, getComputedStyle } = globalThis as unknown as {
    document: {
      readonly documentElement: { readonly scrollWidth: number };
      readonly body: Element & { readonly scrollWidth: number };
      createTreeWalker(root: Element, what: number): { nextNode(): TextNode | null };
      createRange(): { selectNodeContents(node: TextNode): void; getClientRects(): Iterable<Box> };
      querySelectorAll(selector: string): Iterable<Element>;
    };
    getComputedStyle(
      element: Element,
    ): Record<"fontSize" | "overflowX" | "overflowY" | "position", string>;
  };
  const faults = new Set<string>();
  const wide = Math.max(document.documentElement.scrollWidth, document.body.scrollWidth);
  if (wide > width) faults.add(`the page is ${wide} px wide`);

  /** The part of a line that its scrolling ancestors show; undefined for a bar that stays. */
  const shownOf = (box: Box, element: Element): Box | undefined => {
    const shown = { left: box.left, right: box.right, top: box.top, bottom: box.bottom };
    for (let at: Element | null = element; at !== null; at = at.parentElement) {
      const { overflowX, overflowY, position } = getComputedStyle(at);
      if (position === "fixed" || position === "sticky") return undefined;
      const clip = at.getBoundingClientRect();
      if (overflowX !== "visible")
        [shown.left, shown.right] = [
          Math.max(shown.left, clip.left),
          Math.min(shown.right, clip.right),
        ];
      if (overflowY !== "visible")
        [shown.top, shown.bottom] = [
          Math.max(shown.top, clip.top),
          Math.min(shown.bottom, clip.bottom),
        ];
    }
    return shown;
  };
  const lines: { box: Box; element: Element; text: string }[] = [];
  const texts = document.createTreeWalker(document.body, 4);
  for (let node = texts.nextNode(); node !== null; node = texts.nextNode()) {
    const text = node.textContent.trim();
    const element = node.parentElement;
    if (text === "" || /^(SCRIPT|STYLE|NOSCRIPT)$/.test(element.tagName)) continue;
    if (!element.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const boxes = [...range.getClientRects()].filter(
      ({ left, right, top, bottom }) => right - left > 2 && bottom - top > 2,
    );
    if (boxes.length === 0) continue;
    const svg = element.closest("svg");
    const drawn = svg?.viewBox.baseVal.width ?? 0;
    const scale = svg === null || drawn === 0 ? 1 : svg.getBoundingClientRect().width / drawn;
    const size = Number.parseFloat(getComputedStyle(element).fontSize) * scale;
    if (size < least - 0.05) faults.add(`"${text.slice(0, 30)}" is ${size.toFixed(1)} px high`);
    for (const box of boxes) {
      const shown = shownOf(box, element);
      if (shown === undefined) continue;
      // Letters fill the middle of their line.
      const spare = (shown.bottom - shown.top) / 4;
      const letters = { ...shown, top: shown.top + spare, bottom: shown.bottom - spare };
      if (letters.right - letters.left > 2 && letters.bottom > letters.top)
        lines.push({ box: letters, element, text });
    }
  }
  lines.sort((a, b) => a.box.top - b.box.top);
  for (const [at, { box, element, text }] of lines.entries())
    for (let next = at + 1; next < lines.length; next += 1) {
      const other = lines[next];
      if (other === undefined || other.box.top >= box.bottom) break;
      const across = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left);
      if (across > 2 && element !== other.element)
        faults.add(`"${text.slice(0, 30)}" lies upon "${other.text.slice(0, 30)}"`);
    }
  return [...faults];
}
