import type { Page } from "playwright-core";
import { drawStream } from "../../site/simulator/draw.ts";
import { FIRST, type StreamSettings } from "../../site/simulator/settings.ts";
import { simulate } from "../../site/simulator/simulate.ts";

export const PLAYGROUND = "playground.html";

/** What a picture says: each bar with its meaning, place and length. */
export function bars(picture: string): readonly string[] {
  return [...picture.matchAll(/<rect [^>]*?(?=\/?>)/g)].map(([bar]) => bar.trim());
}

/** The bars of the same stream, simulated in this process. */
export async function nodeBars(settings: Partial<StreamSettings>): Promise<readonly string[]> {
  return bars(drawStream(await simulate({ ...FIRST, ...settings })));
}

/** Moves a control as somebody without a mouse does. */
export async function moveTo(page: Page, label: string, value: number): Promise<void> {
  const control = page.getByLabel(label);
  const numberOf = async (name: string): Promise<number> =>
    Number(await control.getAttribute(name));
  await control.focus();
  const [least, step] = [await numberOf("min"), await numberOf("step")];
  const now = Number(await control.inputValue());
  const key = value > now ? "ArrowRight" : "ArrowLeft";
  if (value === least) await page.keyboard.press("Home");
  else
    for (let at = now; at !== value; at += Math.sign(value - now) * step)
      await page.keyboard.press(key);
}
