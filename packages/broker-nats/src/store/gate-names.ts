import { someAtATime } from "@millrace/core";

/** Questions side by side. */
const AT_ONCE = 16;

/**
 * Names of gates, by the subjects of what waits there; a token stands for one name for ever. Keys
 * come and go: only what waited at the last look is kept.
 */
export class GateNames {
  readonly #known = new Map<string, string>();
  readonly #read: (subject: string) => Promise<string | undefined>;

  /** @param read undefined where nothing waits there any more */
  constructor(read: (subject: string) => Promise<string | undefined>) {
    this.#read = read;
  }

  /** How many names are kept. */
  get size(): number {
    return this.#known.size;
  }

  /**
   * @param subjects all at which something waits, as far as was looked
   * @param lookedAt whether a subject would be among them
   */
  async of(
    subjects: readonly string[],
    lookedAt: (subject: string) => boolean,
  ): Promise<ReadonlyMap<string, string>> {
    const wait = new Set(subjects);
    for (const subject of this.#known.keys())
      if (!wait.has(subject) && lookedAt(subject)) this.#known.delete(subject);
    const names = new Map<string, string>();
    const learn = async (subject: string): Promise<void> => {
      const name = this.#known.get(subject) ?? (await this.#read(subject));
      if (name === undefined) return;
      this.#known.set(subject, name);
      names.set(subject, name);
    };
    await someAtATime(subjects, learn, AT_ONCE);
    return names;
  }
}
