import { MillraceError } from "@millrace/core";
import type { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { requireRight, type Right } from "../../access/rights.ts";
import type { DashboardEnv } from "../../access/user.ts";
import type { OnceAMoment } from "../../fleet/once-a-moment.ts";
import { type ApiContext, type ApiHost, param } from "../api-host.ts";
import { askedBody } from "./asked.ts";
import * as changes from "./changes.ts";
import { createQueue, releaseLock, setLimits } from "../limits.ts";
import { removeMachine, sendEvent, startMachine, stopMachine } from "./machine-changes.ts";
import { retryRows } from "../outbox.ts";
import { revealedJob, revealedMachine } from "../reveal.ts";
import { addSchedule, changeSchedule } from "./schedule-changes.ts";
import { rebuildIndex } from "../search.ts";
import type { ChangeView, RevealedView } from "../views/views.ts";

const LARGEST_BODY = 64 * 1024;

type Act<View> = (asking: changes.Asking, context: ApiContext) => Promise<View>;
type Change = (path: string, act: Act<ChangeView>) => void;
type Reveal = (path: string, act: Act<RevealedView>) => void;

/** Everything that the page changes, or shows in the clear: each with the right that it needs. */
export function addChanges(
  api: Hono<DashboardEnv>,
  { fleet, drains, show, outbox, search }: ApiHost,
  known: OnceAMoment,
): void {
  api.use(
    bodyLimit({
      maxSize: LARGEST_BODY,
      onError: () => {
        throw new MillraceError("invalid-option", `body: must be at most ${LARGEST_BODY} bytes.`);
      },
    }),
  );
  // The right stands beside the path that the router has matched: there is no other way to `act`.
  const post = (path: string, right: Right, act: Act<object>): void =>
    void api.post(path, async (context) => {
      const user = context.get("user");
      requireRight(user, right);
      const body = askedBody(await context.req.arrayBuffer());
      try {
        return context.json(await act({ fleet, drains, show, user, body }, context));
      } finally {
        known.forget();
      }
    });
  const change: Change = (path, act) => post(path, "operator", act);
  const reveal: Reveal = (path, act) => post(path, "payloads", act);

  change("/outbox/retry", (asking) => retryRows(outbox, asking));
  change("/search/rebuild", (asking) => rebuildIndex(search, asking));
  change("/locks/release", (asking) => releaseLock(asking));
  change("/nodes/:name/:action", (asking, context) =>
    changes.orderNode(param(context, "name"), param(context, "action"), asking),
  );
  addManyChanges(change);
  addQueueChanges(change);
  addJobChanges(change, reveal);
  addMachineChanges(change, reveal);
  change("/schedules", (asking) => addSchedule(asking));
  change("/schedules/:name/:action", (asking, context) =>
    changeSchedule(param(context, "name"), param(context, "action"), asking),
  );
}

/** Of many things at once. */
function addManyChanges(change: Change): void {
  change("/dead/retry", (asking) => changes.retryLetters(asking));
  change("/dead/discard", (asking) => changes.discardLetters(asking));
  change("/operations", (asking) => changes.startOperation(asking));
  change("/operations/:id/stop", (asking, context) =>
    changes.stopOperation(param(context, "id"), asking),
  );
  change("/operations/:id/undo", (asking, context) =>
    changes.undoOperation(param(context, "id"), asking),
  );
}

function addQueueChanges(change: Change): void {
  change("/queues", (asking) => createQueue(asking));
  change("/queues/:queue/set", (asking, context) => setLimits(param(context, "queue"), asking));
  change("/queues/:queue/:action", (asking, context) =>
    changes.changeQueue(param(context, "queue"), param(context, "action"), asking),
  );
}

function addJobChanges(change: Change, reveal: Reveal): void {
  change("/jobs/:queue/:id/cancel", (asking, context) =>
    changes.cancelJob(param(context, "queue"), param(context, "id"), asking),
  );
  change("/jobs/:queue/:id/reschedule", (asking, context) =>
    changes.rescheduleJob(param(context, "queue"), param(context, "id"), asking),
  );
  change("/jobs/:queue/:id/edit", (asking, context) =>
    changes.editJob(param(context, "queue"), param(context, "id"), asking),
  );
  change("/jobs/:queue/:id/signal", (asking, context) =>
    changes.signalJob(param(context, "queue"), param(context, "id"), asking),
  );
  reveal("/jobs/:queue/:id/reveal", (asking, context) =>
    revealedJob(param(context, "queue"), param(context, "id"), asking),
  );
}

function addMachineChanges(change: Change, reveal: Reveal): void {
  change("/machines", (asking) => startMachine(asking));
  change("/machines/:machine/:id/send", (asking, context) =>
    sendEvent(param(context, "machine"), param(context, "id"), asking),
  );
  change("/machines/:machine/:id/stop", (asking, context) =>
    stopMachine(param(context, "machine"), param(context, "id"), asking),
  );
  change("/machines/:machine/:id/remove", (asking, context) =>
    removeMachine(param(context, "machine"), param(context, "id"), asking),
  );
  reveal("/machines/:machine/:id/reveal", (asking, context) =>
    revealedMachine(param(context, "machine"), param(context, "id"), asking),
  );
}
