import { tuneEngine } from "@millrace/runtime";
import { withoutUser } from "../../node/early-node.ts";
import { flag } from "../../config/field-kinds.ts";
import { boundYoungGeneration } from "../processes/bound-young-generation.ts";
import { command } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { growSlowly } from "../processes/grow-slowly.ts";
import { aborted, interruptible } from "../serving/interrupt.ts";
import { openInBrowser } from "../processes/open-in-browser.ts";
import { serveUi } from "../serving/serve-ui.ts";

const YOUNG_MB = 32;

export const ui = command({
  name: "ui",
  summary:
    "Serve the dashboard: look at queues, jobs, dead letters, schedules and nodes in a browser, and change them",
  usage: "",
  args: { min: 0, max: 0 },
  serves: true,
  flags: { open: { kind: flag, about: "Open it in this machine's browser" } },
  fields: ["connection", "namespace", "masking", "outbox", "index", "dashboard", "tracing"],
  examples: [
    ["millrace ui --open", "For this machine alone, without a login, and shown at once"],
    [
      "MILLRACE_UI_USERS=ada:operator:correct-horse-battery millrace ui --ui-host 0.0.0.0",
      "For other machines: who may log in has to be said",
    ],
  ],
  run: ({ config, flags, json, io }) =>
    interruptible(async (signal) => {
      tuneEngine();
      boundYoungGeneration(YOUNG_MB);
      growSlowly();
      await using served = await serveUi(config, io);
      const { namespace } = config;
      const servers = config.servers.map(withoutUser);
      io.out(
        json
          ? `${JSON.stringify({ url: served.url, servers, namespace })}\n`
          : `${io.paint("green", "dashboard")} of ${namespace} at ${io.paint("bold", served.url)}\nCtrl-C stops it.\n`,
      );
      if (flags.open === true) openInBrowser(served.url, io);
      await aborted(signal);
      return EXIT.ok;
    }),
});
