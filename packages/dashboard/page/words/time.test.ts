import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { expect, test } from "vitest";
import { Moment } from "./time.tsx";

test("a timer that is set for later than any date takes no page away", () => {
  for (const at of [8.64e15 + 1, Number.MAX_SAFE_INTEGER, Infinity])
    expect(renderToStaticMarkup(createElement(Moment, { at }))).toContain("never");
});
