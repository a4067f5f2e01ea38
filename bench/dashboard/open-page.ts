/** What a page asks again when it hears of something, and every five seconds. */
const ASKED = ["overview", "jobs?limit=50", "queues/orders"];
const AGAIN_MS = 5_000;

/** A page of the dashboard that somebody looks at, without the browser. */
export class OpenPage {
  readonly #url: string;
  readonly #closing = new AbortController();
  readonly #listening: Promise<void>;
  readonly #timer: NodeJS.Timeout;
  #asking = Promise.resolve();
  #isAsked = false;

  /** @param url of the dashboard */
  constructor(url: string) {
    this.#url = url;
    this.#listening = this.#listen();
    this.#timer = setInterval(() => this.#ask(), AGAIN_MS);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#closing.abort();
    await this.#listening;
    await this.#asking;
  }

  async #listen(): Promise<void> {
    const { signal } = this.#closing;
    try {
      const { body } = await fetch(`${this.#url}api/live`, { signal });
      if (body === null) throw new Error("the dashboard has no feed");
      for await (const _news of body) this.#ask();
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** What is being asked is not asked beside itself. */
  #ask(): void {
    if (this.#isAsked || this.#closing.signal.aborted) return;
    this.#isAsked = true;
    this.#asking = this.#read().finally(() => (this.#isAsked = false));
  }

  async #read(): Promise<void> {
    await Promise.all(
      ASKED.map(async (path) => {
        const response = await fetch(`${this.#url}api/${path}`);
        await response.arrayBuffer();
        if (!response.ok) throw new Error(`${path}: ${response.status}`);
      }),
    );
  }
}
