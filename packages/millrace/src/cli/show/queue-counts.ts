import type { QueueStatus } from "../../client/queues/queue-status.ts";
import type { Column } from "./table.ts";

/** A queue and how many jobs of each kind it has. */
export const QUEUE_COUNTS: readonly Column<QueueStatus>[] = [
  { title: "QUEUE", cell: ({ queue }) => queue },
  { title: "QUEUED", align: "right", cell: ({ queued }) => String(queued) },
  { title: "RUNNING", align: "right", cell: ({ running }) => String(running) },
  { title: "DELAYED", align: "right", cell: ({ delayed }) => String(delayed) },
  { title: "BLOCKED", align: "right", cell: ({ blocked }) => String(blocked) },
  { title: "DEAD", align: "right", cell: ({ dead }) => String(dead) },
];
