// What the command line can do, and where the page does it. A new command has to be put here: with
// its place, as one that only shows, or with the reason why the page does without it.
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { COMMANDS } from "../../packages/millrace/src/cli/command-list.ts";
import { BOB, scene } from "./scene.ts";

interface Place {
  /** The button, and the API's path that it asks for, with names in it. */
  readonly button: string;
  readonly path: string;
  /** Flags that have a field of the page, or a page where what they say is chosen. */
  readonly flags?: readonly string[];
  /** Flags that the page does without, and why. */
  readonly without?: Readonly<Record<string, string>>;
}

const ASKS = "its dialog asks";
const GOES_ON = "a page waits for nothing, and what it began goes on";
const ITS_PAGE = "the job's own page, or the queue's, is the one";
const SENT_ONCE = "a click is one, and names nothing that a program would send again";

const ALL_THAT_MATCH = {
  flags: ["queue", "filter", "all", "name", "state", "reason"],
  without: { yes: ASKS, detach: GOES_ON },
};

const PLACES: Readonly<Record<string, Place>> = {
  "queues create": {
    ...{ button: "Create a queue", path: "queues" },
    flags: ["max-jobs", "max-bytes"],
  },
  "queues pause": { button: "Pause", path: "queues/mail/pause", flags: ["reason"] },
  "queues resume": { button: "Resume", path: "queues/mail/resume" },
  "queues drain": {
    ...{ button: "Drain", path: "queues/mail/drain", flags: ["reason"] },
    without: {
      delayed: "its page says how many wait for their time, and goes on as long as it is open",
      timeout: GOES_ON,
    },
  },
  "queues purge": {
    ...{ button: "Purge at once", path: "queues/mail/purge", flags: ["delayed"] },
    without: { yes: ASKS },
  },
  "queues set": {
    ...{ button: "Set limits", path: "queues/mail/set" },
    flags: [
      ...["concurrency", "rate", "key-concurrency", "key-rate"],
      ...["sends-to", "max-parked", "max-jobs", "max-bytes"],
    ],
  },
  signal: {
    ...{ button: "Send signal", path: "jobs/mail/a/signal" },
    without: { queue: ITS_PAGE, "signal-id": SENT_ONCE },
  },
  "jobs cancel": {
    ...{ button: "Cancel", path: "jobs/mail/a/cancel" },
    flags: ALL_THAT_MATCH.flags,
    without: { ...ALL_THAT_MATCH.without, wait: GOES_ON, timeout: GOES_ON },
  },
  "jobs reschedule": {
    ...{ button: "Reschedule", path: "jobs/mail/a/reschedule" },
    flags: [...ALL_THAT_MATCH.flags, "delay", "at"],
    without: ALL_THAT_MATCH.without,
  },
  "dead retry": { button: "Enqueue again", path: "dead/retry", ...ALL_THAT_MATCH },
  "dead discard": { button: "Discard", path: "dead/discard", ...ALL_THAT_MATCH },
  "dead edit": {
    ...{ button: "Edit and enqueue", path: "jobs/mail/a/edit", flags: ["merge"] },
    without: { queue: ITS_PAGE },
  },
  "operations stop": { button: "Stop", path: "operations/a/stop" },
  "operations undo": { button: "Undo", path: "operations/a/undo", flags: ["reason"] },
  "cron add": {
    ...{ button: "Add a schedule", path: "schedules" },
    flags: ["queue", "timezone", "jitter", "missed", "overlap", "late-after"],
    without: { replace: "Change does it, and says what is there" },
  },
  "cron change": {
    ...{ button: "Change", path: "schedules/nightly/change" },
    flags: ["cron", "timezone", "jitter", "missed", "overlap", "late-after"],
  },
  "cron remove": { button: "Remove", path: "schedules/nightly/remove" },
  "cron pause": { button: "Pause", path: "schedules/nightly/pause" },
  "cron resume": { button: "Resume", path: "schedules/nightly/resume" },
  "cron run": { button: "Run now", path: "schedules/nightly/run" },
  "machines start": { button: "Start a machine", path: "machines" },
  "machines send": {
    ...{ button: "Send event", path: "machines/claim/a/send" },
    without: { "event-id": SENT_ONCE },
  },
  "machines stop": {
    ...{ button: "Stop", path: "machines/claim/a/stop" },
    without: { yes: ASKS },
  },
  "machines remove": {
    ...{ button: "Forget", path: "machines/claim/a/remove", flags: ["force"] },
    without: { yes: ASKS },
  },
  "locks release": {
    ...{ button: "Release", path: "locks/release" },
    without: { yes: ASKS },
  },
  "outbox retry": { button: "Retry all", path: "outbox/retry" },
  "nodes quiet": ofNodes("Quiet", "quiet"),
  "nodes resume": ofNodes("Resume", "resume"),
  "nodes stop": ofNodes("Stop", "stop"),
};

function ofNodes(button: string, action: string): Place {
  return {
    ...{ button, path: `nodes/test-node/${action}`, flags: ["reason"] },
    without: {
      all: "one click orders one node: a whole fleet has to be named",
      wait: GOES_ON,
      yes: ASKS,
    },
  };
}

/** They change nothing: the page shows what they show, or has nothing to do with it. */
const ONLY_SHOW: readonly string[] = [
  ...["queues", "limits", "jobs get", "jobs list", "jobs progress", "jobs logs", "jobs watch"],
  ...[
    "errors",
    "dead list",
    "dead show",
    "operations list",
    "operations get",
    "cron list",
    "cron next",
  ],
  ...["cron history", "machines list", "machines get", "machines chart", "locks list"],
  ...["records", "outbox status", "nodes list", "audit list", "top", "doctor", "healthcheck"],
  ...["config print", "docs", "completion", "steps check", "bench"],
];

const EXCEPTIONS: Readonly<Record<string, string>> = {
  dev: "starts programs on the machine where it is typed",
  run: "starts a node on the machine where it is typed",
  ui: "starts the page itself",
  enqueue:
    "a new job is a program's, whose types say what it is given; the page enqueues what is known: dead jobs again, as they are or edited, and a schedule's now",
  "operations run": "the dashboard carries operations out, without being asked",
  "machines migrate": "loads the code of machines, which a dashboard has none of",
  "outbox migrate": "changes tables, which needs the rights of whoever owns the database",
  "outbox adopt": "changes tables, which needs the rights of whoever owns the database",
  "outbox relay": "is a process of its own beside the database",
};

test("each command has its place on the page, or says why it has none", () => {
  const known = [...Object.keys(PLACES), ...ONLY_SHOW, ...Object.keys(EXCEPTIONS)];
  expect(COMMANDS.map(({ name }) => name).toSorted()).toEqual(known.toSorted());
});

test.each(Object.entries(PLACES))("%s: each flag has a field, or a reason", (name, place) => {
  const command = COMMANDS.find((one) => one.name === name);
  const { flags = [], without = {} } = place;
  const known = [...flags, ...Object.keys(without)];
  expect(Object.keys(command?.flags ?? {}).filter((flag) => !known.includes(flag))).toEqual([]);
});

test("each place is there: a button of the page, and a path that only operators reach", async () => {
  const folder = join(import.meta.dirname, "../../packages/dashboard/page");
  const page = globSync("**/*.tsx", { cwd: folder })
    .map((file) => readFileSync(join(folder, file), "utf8"))
    .join("\n");
  const [viewed, operated] = [await scene({ user: () => BOB }), await scene()];
  expect((await viewed.post("there/is/no/such/path", {})).status).toBe(404);
  for (const [name, { button, path }] of Object.entries(PLACES)) {
    expect(page, name).toContain(`label="${button}"`);
    const refused = await viewed.post(path, {});
    expect(refused.status, `${name}: ${path}`).toBe(403);
    expect(await refused.text()).toContain("may look");
    // They last, and are known by the tests of what they do.
    if (path.endsWith("/drain") || path.endsWith("/purge")) continue;
    expect(await (await operated.post(path, {})).text()).not.toContain("no action called");
  }
});
