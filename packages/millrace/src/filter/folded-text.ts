/** What a mask puts in a secret's place, with stars that stood beside it. */
const HIDDEN = /\*{3,}/;

/** A text that is looked at by many terms, and in small letters by most of them. */
export class FoldedText {
  readonly text: string;
  #lower: string | undefined;
  #isMasked: boolean | undefined;

  constructor(text: string) {
    this.text = text;
  }

  get lower(): string {
    return (this.#lower ??= this.text.toLowerCase());
  }

  /** Whether something of it is hidden. Of what was stored masked, only the mark says so. */
  get isMasked(): boolean {
    return (this.#isMasked ??= HIDDEN.test(this.text));
  }

  /** @param part in small letters. What stands in a secret's place is no part of the text */
  holds(part: string): boolean {
    return part.includes("*") && this.isMasked
      ? this.lower.split(HIDDEN).some((piece) => piece.includes(part))
      : this.lower.includes(part);
  }
}
