/** Whether a pattern with `*` and `>` takes a subject. */
export function takes(pattern: string, subject: string): boolean {
  if (!pattern.includes("*") && !pattern.includes(">")) return pattern === subject;
  const wanted = pattern.split(".");
  const tokens = subject.split(".");
  for (const [place, token] of wanted.entries()) {
    if (token === ">") return tokens.length > place;
    if (place >= tokens.length || (token !== "*" && token !== tokens[place])) return false;
  }
  return wanted.length === tokens.length;
}

/** Whether there is a subject that both take. */
export function overlap(one: string, other: string): boolean {
  const a = one.split(".");
  const b = other.split(".");
  for (let place = 0; ; place += 1) {
    const [left, right] = [a[place], b[place]];
    if (left === undefined || right === undefined) return left === right;
    if (left === ">" || right === ">") return true;
    if (left !== "*" && right !== "*" && left !== right) return false;
  }
}

/**
 * Things by the pattern they stand for. Finds all that take a subject without looking at the
 * others.
 */
export class ByPattern<T> {
  /** Literals, and patterns whose only wildcard is the last token, by what is before it. */
  readonly #exact = new Map<string, Set<T>>();
  readonly #open = new Map<string, Set<T>>();
  readonly #others = new Map<string, Set<T>>();

  add(pattern: string, thing: T): void {
    const [shelf, key] = this.#shelfOf(pattern);
    const things = shelf.get(key);
    if (things === undefined) shelf.set(key, new Set([thing]));
    else things.add(thing);
  }

  remove(pattern: string, thing: T): void {
    const [shelf, key] = this.#shelfOf(pattern);
    const things = shelf.get(key);
    things?.delete(thing);
    if (things?.size === 0) shelf.delete(key);
  }

  find(subject: string): T[] {
    const found: T[] = [...(this.#exact.get(subject) ?? [])];
    for (let dot = subject.indexOf("."); dot >= 0; dot = subject.indexOf(".", dot + 1)) {
      const before = subject.slice(0, dot + 1);
      if (this.#open.size === 0) break;
      const below = this.#open.get(`${before}>`);
      if (below !== undefined) found.push(...below);
      if (subject.indexOf(".", dot + 1) >= 0) continue;
      const beside = this.#open.get(`${before}*`);
      if (beside !== undefined) found.push(...beside);
    }
    for (const [pattern, things] of this.#others)
      if (takes(pattern, subject)) found.push(...things);
    return found;
  }

  clear(): void {
    this.#exact.clear();
    this.#open.clear();
    this.#others.clear();
  }

  #shelfOf(pattern: string): [Map<string, Set<T>>, string] {
    const first = pattern.search(/[*>]/);
    if (first < 0) return [this.#exact, pattern];
    return first > 0 && first === pattern.length - 1
      ? [this.#open, pattern]
      : [this.#others, pattern];
  }
}
