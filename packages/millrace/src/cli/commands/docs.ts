import { ERROR_CODES, nearest } from "@millrace/core";
import { command, type Report } from "../command.ts";
import { type DocPage, docPages, errorEntry, pagesFor } from "../doc-pages.ts";
import { EXIT } from "../exit-codes.ts";

export const docs = command({
  name: "docs",
  summary: "Print a page of the documentation, or what an error's code means and what to do",
  usage: "[TOPIC]",
  args: { min: 0, max: 1 },
  flags: {},
  fields: [],
  examples: [
    ["millrace docs", "What pages there are"],
    ["millrace docs retries", "One page"],
    ["millrace docs publish-timeout", "What to do about an error"],
  ],
  async run({ args: [topic] }) {
    const pages = docPages();
    if (topic === undefined) return listed(pages);
    const entry = errorEntry(pages, topic);
    if (entry !== undefined)
      return {
        json: entry,
        text: (paint) =>
          `${paint("bold", entry.code)}\n${entry.meaning}\n\nWhat to do: ${entry.advice}\n`,
      };
    const found = pagesFor(pages, topic);
    const [page] = found;
    if (page === undefined) {
      const known = [...pages.map((one) => one.topic), ...Object.keys(ERROR_CODES)];
      const meant = nearest(topic.slice(0, 80), known);
      return {
        json: [],
        text: () =>
          `No page speaks of "${topic}".${meant === undefined ? "" : ` Did you mean ${meant}?`} millrace docs lists the pages.\n`,
        exitCode: EXIT.failed,
      };
    }
    return found.length === 1 ? { json: page, text: () => page.text } : listed(found);
  },
});

function listed(pages: readonly DocPage[]): Report {
  const width = Math.max(0, ...pages.map(({ topic }) => topic.length));
  return {
    json: pages.map(({ topic, title }) => ({ topic, title })),
    text: (paint) =>
      pages.map(({ topic, title }) => `${paint("bold", topic.padEnd(width))}  ${title}\n`).join(""),
  };
}
