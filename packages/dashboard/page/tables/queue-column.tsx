import { Link } from "wouter";
import { queueAddress } from "../words/addresses.ts";
import type { DataColumn } from "./data-table.tsx";

/** The queue of whatever a table lists, with a link to its page. */
export const QUEUE_COLUMN: DataColumn<{ readonly queue: string }> = {
  id: "queue",
  title: "queue",
  value: ({ queue }) => queue,
  cell: ({ queue }) => <Link href={queueAddress(queue)}>{queue}</Link>,
};
