/** What somebody may be about to click. */
const CLICKABLE = "a, button, summary, input, select, textarea, label, time";
/** Browsers scroll by whole pixels. */
const LEAST_PX = 1;

/**
 * Keeps what is pointed at where it is on the screen, while what is above it comes, goes or grows:
 * who is about to click hits what they see. The page is scrolled by as much, as browsers do by
 * themselves of pages that are scrolled already. Where it can't be scrolled so far, it gets room
 * above or below, until the pointer leaves it.
 *
 * @returns a function that ends it
 */
export function keepPlace(main: HTMLElement): () => void {
  const root = document.documentElement;
  /** `top`: where it is on the screen. */
  let aimed: { readonly element: Element; top: number } | undefined;
  const room = { above: 0, below: 0 };
  const give = (above: number, below: number): void => {
    Object.assign(room, { above, below });
    main.style.marginTop = above === 0 ? "" : `${above}px`;
    main.style.marginBottom = below === 0 ? "" : `${below}px`;
  };
  const aimAt = (element: Element | undefined): void => {
    aimed =
      element === undefined ? undefined : { element, top: element.getBoundingClientRect().top };
    // It would be kept in its place twice.
    root.style.overflowAnchor = element === undefined ? "" : "none";
  };
  const forget = (): void => aimAt(undefined);
  const leave = (): void => {
    forget();
    if (room.above + room.below > 0) give(0, 0);
  };
  const aim = ({ target, pointerType }: PointerEvent): void => {
    if (!(target instanceof Element) || !main.contains(target)) return leave();
    const element = target.closest(CLICKABLE);
    // A finger is where it is only while it taps. A dialog does not move with the page.
    const isKept =
      element !== null && pointerType !== "touch" && element.closest("dialog") === null;
    aimAt(isKept ? element : undefined);
  };
  const down = (moved: number): void => {
    const taken = Math.min(room.above, moved);
    const rest = moved - taken;
    const height = main.getBoundingClientRect().bottom + scrollY + room.below - taken;
    const missing = Math.max(0, scrollY + rest + root.clientHeight - height);
    give(room.above - taken, room.below + missing);
    if (rest > 0) scrollBy({ top: rest, behavior: "instant" });
  };
  const up = (moved: number): void => {
    const scrolled = Math.min(scrollY, moved);
    if (scrolled > 0) scrollBy({ top: -scrolled, behavior: "instant" });
    if (moved > scrolled) give(room.above + moved - scrolled, room.below);
  };
  const keep = (): void => {
    if (aimed === undefined) return;
    if (!main.contains(aimed.element)) return forget();
    const moved = aimed.element.getBoundingClientRect().top - aimed.top;
    if (moved >= LEAST_PX) down(moved);
    else if (-moved >= LEAST_PX) up(-moved);
  };
  // Before anything of it is painted.
  const watcher = new MutationObserver(keep);
  watcher.observe(main, {
    ...{ subtree: true, childList: true, characterData: true },
    attributeFilter: ["open", "class"],
  });
  const scrolled = (): void => {
    if (aimed !== undefined) aimed.top = aimed.element.getBoundingClientRect().top;
  };
  const ending = new AbortController();
  const { signal } = ending;
  document.addEventListener("pointermove", aim, { signal, passive: true });
  root.addEventListener("pointerleave", leave, { signal });
  document.addEventListener("scroll", scrolled, { signal, passive: true, capture: true });
  // What they ask for may move.
  for (const event of ["click", "keydown"]) document.addEventListener(event, forget, { signal });
  window.addEventListener("resize", forget, { signal });
  return () => {
    ending.abort();
    watcher.disconnect();
    leave();
  };
}
