import { type Clock, MillraceError, type Stoppable } from "@millrace/core";
import type { Client, Pool } from "pg";
import { SCHEMA_WARNING } from "../schema/pinned-search-paths.ts";
import { answerWithin } from "./answer-within.ts";

const CONNECT_MS = 5_000;
const STATEMENT_MS = 10_000;
/** Relays work several queues side by side. */
const CONNECTIONS = 4;
const CHANNEL = "millrace_outbox";
const END_MS = 1_000;
/** Before a notification's connection that was lost is made again. */
const RECONNECT_MS = 1_000;

/** @throws MillraceError `outbox-failed` where the package `pg` is not installed */
export async function openPool(url: string): Promise<Pool> {
  const pg = await loadPg();
  const pool = new pg.Pool({ ...connection(url), max: CONNECTIONS, allowExitOnIdle: true });
  // A connection that breaks while it is idle; the next statement gets another.
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("notice", warn));
  return pool;
}

/** What the schema says of what it leaves to its operator. */
function warn({ message = "" }: { readonly message?: string | undefined }): void {
  if (message.startsWith(SCHEMA_WARNING)) process.emitWarning(message);
}

/** The text as SQL, for a message that takes no parameters. */
export async function literal(text: string): Promise<string> {
  const { escapeLiteral } = await loadPg();
  return escapeLiteral(text);
}

/**
 * Listens on a connection of its own, which is made again when it breaks. What was notified
 * meanwhile is lost, so each new connection calls back once.
 */
export async function listenTo(url: string, clock: Clock, onRows: () => void): Promise<Stoppable> {
  const pg = await loadPg();
  let client: Client | undefined;
  let stopped = false;
  let timer: { cancel(): void } | undefined;

  function again(): void {
    if (stopped) return;
    timer?.cancel();
    timer = clock.setTimer(RECONNECT_MS, () => void open());
  }

  async function open(): Promise<void> {
    const opening = new pg.Client(connection(url));
    let lost = false;
    const lose = (): void => {
      if (lost) return;
      lost = true;
      void end(opening, clock);
      again();
    };
    opening.on("error", lose);
    opening.on("end", lose);
    opening.on("notification", onRows);
    try {
      await opening.connect();
      await opening.query(`LISTEN ${CHANNEL}`);
      client = opening;
      if (stopped) await end(opening, clock);
      else onRows();
    } catch {
      // The relay's own statements tell of a database that is away.
      lose();
    }
  }

  await open();
  return {
    async stop() {
      stopped = true;
      timer?.cancel();
      if (client !== undefined) await end(client, clock);
    },
  };
}

/** A server that is frozen, or cut off, does not say goodbye: its connection is broken off then. */
async function end(client: Client, clock: Clock): Promise<void> {
  const ending = client.end();
  await answerWithin(clock, END_MS, ending).catch(() => client.connection.stream.destroy());
}

function connection(url: string) {
  return {
    connectionString: url,
    connectionTimeoutMillis: CONNECT_MS,
    statement_timeout: STATEMENT_MS,
    // A server that is gone without a word answers nothing, not even that it took too long.
    query_timeout: STATEMENT_MS + 1_000,
    keepAlive: true,
    application_name: "millrace-outbox",
  };
}

async function loadPg() {
  const { default: pg } = await import("pg").catch((cause: unknown) => {
    throw new MillraceError(
      "outbox-failed",
      "An outbox in PostgreSQL needs the package pg: install it beside millrace (npm install pg).",
      { cause },
    );
  });
  return pg;
}
