import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Off unless asked for: what can be tapped is 24 by 24 pixels, or has such a circle to itself. */
const SIZE_OF_TARGETS = "target-size";

/**
 * What axe finds wrong, one line each.
 *
 * @param by a finger needs larger targets, and more room between them
 */
export async function violations(
  page: Page,
  by: "pointer" | "finger" = "pointer",
): Promise<readonly string[]> {
  await page.evaluate(axe);
  const options = by === "finger" ? { rules: { [SIZE_OF_TARGETS]: { enabled: true } } } : {};
  return page.evaluate(async (options) => {
    const { axe } = globalThis as unknown as {
      readonly axe: {
        run(options: object): Promise<{
          readonly violations: readonly {
            readonly id: string;
            readonly nodes: readonly { readonly html: string }[];
          }[];
        }>;
      };
    };
    const found = await axe.run(options);
    return found.violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html ?? ""}`);
  }, options);
}
