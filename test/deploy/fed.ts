import type { Sample } from "../metrics/exposition.ts";
import { promQl, withoutVariables } from "./expressions.ts";

/** Labels that Prometheus adds to what it scrapes. */
const SCRAPED = ["instance"];

/** What an expression asks for and no page has: metrics, labels of them, values of labels. */
export function unfed(expr: string, samples: readonly Sample[]): readonly string[] {
  const { metrics, labels } = promQl(expr);
  const asked = labels.filter((label) => !SCRAPED.includes(label));
  const values = [...withoutVariables(expr).matchAll(/(\w+)="([^"]*)"/g)].map(
    ([, label = "", value = ""]) => ({ label, value }),
  );
  return metrics.flatMap((metric) => {
    const told = samples.filter(({ name }) => name === metric);
    if (told.length === 0) return [metric];
    return [
      ...asked
        .filter((label) => !told.some((one) => label in one.labels))
        .map((label) => `${metric}{${label}}`),
      ...values
        .filter(({ label, value }) => !told.some((one) => one.labels[label] === value))
        .map(({ label, value }) => `${metric}{${label}="${value}"}`),
    ];
  });
}
