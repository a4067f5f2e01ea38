import { FilterError } from "./filter-error.ts";
import type { FilterTree, Operator } from "./filter-tree.ts";

/** No person types a longer filter. */
const LONGEST = 4_000;
/** Brackets and minus signs within one another. */
const DEEPEST = 50;

const SPACE = /\s*/y;
const FIELD = /([A-Za-z]+(?:\.[^\s:=!~<>()"']+)?)(!=|!~|>=|<=|:|=|~|>|<)/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"|'([^']*)'/sy;
const BARE = /[^\s"'()][^\s()]*/y;
const END_OF_VALUE = /(?=[\s)]|$)/y;
const OR = /OR(?=[\s()]|$)/y;

const TERM_HINT = "a term such as name=mail.* or message~refused";

/**
 * Reads a filter: terms and words with blanks between them, which must all hold; `OR` between two
 * parts of which one has to; `-` in front of what must not; brackets. `docs/filters.md` has it all.
 *
 * @throws FilterError
 */
export function readFilter(text: string): FilterTree {
  if (text.length > LONGEST) throw new FilterError(LONGEST + 1, "4,000 characters at most", "more");
  const reader = new Reader(text);
  if (reader.isAtEnd()) throw new FilterError(1, `at least one term such as name=mail.*`, text);
  const tree = reader.either();
  if (!reader.isAtEnd()) throw reader.wrong("as many ( as )");
  return tree;
}

class Reader {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  isAtEnd(): boolean {
    this.#take(SPACE);
    return this.#at === this.#text.length;
  }

  either(): FilterTree {
    const parts = [this.#all()];
    while (!this.isAtEnd() && this.#take(OR) !== undefined) parts.push(this.#all());
    return group("or", parts);
  }

  wrong(expected: string, at = this.#at): FilterError {
    return new FilterError(at + 1, expected, this.#text.slice(at).trim().slice(0, 80));
  }

  #all(): FilterTree {
    const parts: FilterTree[] = [];
    while (!this.isAtEnd() && !this.#sees(OR) && this.#text[this.#at] !== ")")
      parts.push(this.#one());
    if (parts.length === 0) throw this.wrong(TERM_HINT);
    return group("and", parts);
  }

  #one(): FilterTree {
    const start = this.#at;
    const sign = this.#text[start];
    if (sign !== "-" && sign !== "(") return this.#term(start);
    this.#depth += 1;
    if (this.#depth > DEEPEST) throw this.wrong(`at most ${DEEPEST} brackets within one another`);
    this.#at += 1;
    const tree = sign === "-" ? this.#denied() : this.#bracket(start);
    this.#depth -= 1;
    return tree;
  }

  #denied(): FilterTree {
    if (this.isAtEnd()) throw this.wrong("something after -");
    return { kind: "not", of: this.#one() };
  }

  #bracket(start: number): FilterTree {
    const tree = this.either();
    this.isAtEnd();
    if (this.#text[this.#at] !== ")") throw this.wrong("a ) for each (", start);
    this.#at += 1;
    return tree;
  }

  #term(start: number): FilterTree {
    const field = this.#take(FIELD);
    if (field === undefined) return { kind: "text", text: this.#value(start, "a word") };
    const [, name = "", operator = "="] = field;
    const value = this.#value(start, TERM_HINT);
    return {
      kind: "term",
      whole: this.#text.slice(start, this.#at),
      position: start + 1,
      field: fieldOf(name),
      operator: operator as Operator,
      value,
    };
  }

  #value(start: number, expected: string): string {
    const quoted = this.#take(QUOTED);
    const value =
      quoted === undefined
        ? this.#take(BARE)?.[0]
        : (quoted[1]?.replaceAll(/\\(.)/gs, "$1") ?? quoted[2]);
    if (value === undefined || !this.#sees(END_OF_VALUE)) throw this.wrong(expected, start);
    return value;
  }

  #sees(pattern: RegExp): boolean {
    const at = this.#at;
    const found = this.#take(pattern);
    this.#at = at;
    return found !== undefined;
  }

  #take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found === null) return undefined;
    this.#at += found[0].length;
    return found;
  }
}

/** Field names are the same in whatever case; what follows the dot is the payload's own. */
function fieldOf(name: string): string {
  const dot = name.indexOf(".");
  return dot === -1 ? name.toLowerCase() : name.slice(0, dot).toLowerCase() + name.slice(dot);
}

function group(kind: "and" | "or", parts: readonly FilterTree[]): FilterTree {
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : { kind, of: parts };
}
