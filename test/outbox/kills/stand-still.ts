import type { GoOn, Point, Stand } from "./points.ts";

/** Stands still where its parent asks for it, until the parent has it go on. */
export class StandStill {
  #point: Point | undefined;
  #goOn: ((how: GoOn["goOn"]) => void) | undefined;

  constructor() {
    process.on("message", (message: Stand | GoOn) => {
      if ("goOn" in message) this.#goOn?.(message.goOn);
      else this.#point = message.standAt;
    });
    // A parent that is gone asks for nothing more.
    process.on("disconnect", () => process.exit(1));
  }

  /** @throws what `lost` makes, where the answer is to be lost */
  async at(point: Point, lost?: () => Error): Promise<void> {
    if (this.#point !== point) return;
    this.#point = undefined;
    const { promise, resolve } = Promise.withResolvers<GoOn["goOn"]>();
    this.#goOn = resolve;
    process.send?.({ at: point });
    const how = await promise;
    if (how === "without the answer" && lost !== undefined) throw lost();
  }
}
