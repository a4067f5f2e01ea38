import { expect, test } from "vitest";
import { type Paint, plain } from "../io.ts";
import { clean } from "./clean.ts";
import { facts, table } from "./table.ts";
import { traceColumns, traceFacts } from "./trace.ts";

test("columns are aligned, numbers to the right, and no line ends in blanks", () => {
  const rows = [
    { name: "mail", count: 7 },
    { name: "a-long-queue", count: 1_200 },
  ];
  expect(
    table(
      [
        { title: "NAME", cell: ({ name }) => name },
        { title: "COUNT", align: "right", cell: ({ count }) => String(count) },
      ],
      rows,
      plain,
    ),
  ).toBe("NAME          COUNT\nmail              7\na-long-queue   1200\n");
  expect(
    facts(
      [
        ["id", "x"],
        ["longer", "y"],
      ],
      plain,
    ),
  ).toBe("id      x\nlonger  y\n");
});

test("an address in a list is whole, or it would lead nowhere; what else is long is cut", () => {
  const traceUrl = `https://traces.example.com/${"folder/".repeat(40)}{traceId}`;
  const rows = [{ traceId: "a".repeat(32), note: "n".repeat(1_000) }];
  const listed = table(
    [{ title: "NOTE", cell: ({ note }) => note }, ...traceColumns(rows, traceUrl)],
    rows,
    plain,
  );
  expect(listed).toContain(`folder/${"a".repeat(32)}\n`);
  expect(listed).not.toContain("n".repeat(300));
  const [[, told = ""] = []] = traceFacts("a".repeat(32), traceUrl.repeat(4));
  expect(told.endsWith("a".repeat(32))).toBe(true);
});

test("no value of a fact brings what a terminal obeys; the colours are our own", () => {
  const event = "xstate.\u001b]52;c;Y3VybCBldmls\u0007\u001b[2J\u009b2J\r\n\u202emove";
  const paint: Paint = (style, text) => `<${style}>${text}</>`;
  expect(facts([["trouble", event, "red"]], paint)).toBe(
    "<bold>trouble</>  <red>xstate. move</>\n",
  );
});

test("nothing that a terminal obeys gets through", () => {
  expect(clean("a\u001b[31mred\u001b[0m\r\nb\u0007\u202ec\u2028d")).toBe("ared b c d");
  expect(clean("\u001b]0;title\u0007x")).toBe("x");
  expect(clean("x".repeat(300))).toHaveLength(200);
});
