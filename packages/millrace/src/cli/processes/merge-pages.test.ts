import { expect, test } from "vitest";
import { mergePages } from "./merge-pages.ts";

const page = (value: number): string => `# HELP up Whether it is up.
# TYPE up gauge
up ${value}
# HELP took_seconds How long it took.
# TYPE took_seconds histogram
took_seconds_bucket{queue="a b",le="1"} ${value}
took_seconds_bucket{queue="a b",le="+Inf"} ${value}
took_seconds_count{queue="a b"} ${value}
took_seconds_sum{} 0.5
`;

test("a metric's samples stand together, each with its process", () => {
  const pages = [1, 2].map((process) => ({ process, page: page(process) }));
  expect(mergePages(pages)).toBe(`# HELP up Whether it is up.
# TYPE up gauge
up{process="1"} 1
up{process="2"} 2
# HELP took_seconds How long it took.
# TYPE took_seconds histogram
took_seconds_bucket{process="1",queue="a b",le="1"} 1
took_seconds_bucket{process="1",queue="a b",le="+Inf"} 1
took_seconds_count{process="1",queue="a b"} 1
took_seconds_sum{process="1"} 0.5
took_seconds_bucket{process="2",queue="a b",le="1"} 2
took_seconds_bucket{process="2",queue="a b",le="+Inf"} 2
took_seconds_count{process="2",queue="a b"} 2
took_seconds_sum{process="2"} 0.5
`);
});

test("of no pages there is nothing", () => expect(mergePages([])).toBe(""));

test("what only one process has is on the page once", () => {
  const only = "# TYPE one counter\none 3\n";
  expect(
    mergePages([
      { process: 1, page: "" },
      { process: 2, page: only },
    ]),
  ).toBe('# TYPE one counter\none{process="2"} 3\n');
});
