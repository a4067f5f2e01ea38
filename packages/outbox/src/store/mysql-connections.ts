import { type Clock, MillraceError } from "@millrace/core";
import type * as mysql2 from "mysql2/promise";
import type { Connection, Pool, PoolConnection } from "mysql2/promise";
import type { Socket } from "node:net";
import { answerWithin } from "./answer-within.ts";

const CONNECT_MS = 5_000;
const STATEMENT_MS = 10_000;
/** For the one who waits behind others, whose statements may all be late. */
const BORROW_MS = CONNECT_MS + STATEMENT_MS;
const CLOSE_MS = 1_000;
/** Relays work several queues side by side. */
const CONNECTIONS = 4;
/** The package writes texts into statements, and escapes them by backslashes. */
const WITH_BACKSLASHES =
  "SET SESSION sql_mode = REPLACE(@@SESSION.sql_mode, 'NO_BACKSLASH_ESCAPES', '')";

/** One connection, for as long as it is borrowed. */
export interface Via {
  /** Rows, or what became of a change. */
  query(text: string, values?: readonly unknown[]): Promise<unknown>;
}

/**
 * Connections of an outbox. One that fails is dropped, and with it a transaction that is open on
 * it: the pool of mysql2 keeps one that does not answer as borrowed for ever, and whoever asks for
 * a connection then waits for ever.
 */
export class MysqlConnections {
  readonly #pool: Pool;
  readonly #clock: Clock;
  readonly #sockets = new Set<Socket>();
  readonly #prepared = new WeakSet<Connection>();

  private constructor(pool: Pool, clock: Clock) {
    this.#pool = pool;
    this.#clock = clock;
    pool.pool.on("connection", (connection) => {
      const socket = socketOf(connection);
      this.#sockets.add(socket);
      socket.on("close", () => void this.#sockets.delete(socket));
      // One that breaks more than once, or while nobody has it.
      connection.on("error", () => {});
    });
  }

  /** @throws MillraceError `outbox-failed` where the package mysql2 is not installed */
  static async open(url: string, clock: Clock): Promise<MysqlConnections> {
    const { createPool } = await loadMysql2();
    return new MysqlConnections(
      createPool({ ...connectionOptions(url), connectionLimit: CONNECTIONS }),
      clock,
    );
  }

  /**
   * @throws MillraceError `outbox-failed` where the database does not answer in time; what it
   *   refuses
   */
  async use<Result>(act: (via: Via) => Promise<Result>): Promise<Result> {
    const borrowed = await this.#borrow();
    const answer = async (text: string, values: readonly unknown[]): Promise<unknown> => {
      const [given] = await borrowed.query(text, [...values]);
      return given;
    };
    const via: Via = {
      query: (text, values = []) => answerWithin(this.#clock, STATEMENT_MS, answer(text, values)),
    };
    try {
      if (!this.#prepared.has(borrowed.connection)) {
        await via.query(WITH_BACKSLASHES);
        this.#prepared.add(borrowed.connection);
      }
      const result = await act(via);
      borrowed.release();
      return result;
    } catch (error) {
      drop(borrowed);
      throw error;
    }
  }

  /** Also where the database does not answer. */
  async close(): Promise<void> {
    await answerWithin(this.#clock, CLOSE_MS, this.#pool.end()).catch(() => "it is cut off below");
    for (const socket of this.#sockets) socket.destroySoon();
  }

  async #borrow(): Promise<PoolConnection> {
    const coming = this.#pool.getConnection();
    try {
      return await answerWithin(this.#clock, BORROW_MS, coming);
    } catch (error) {
      // It may still come, and somebody else waits for one.
      coming.then(
        (late) => late.release(),
        () => "there is none",
      );
      throw error;
    }
  }
}

export function connectionOptions(url: string) {
  return { uri: url, connectTimeout: CONNECT_MS, charset: "utf8mb4" };
}

/** @throws MillraceError `outbox-failed` where the package mysql2 is not installed */
export async function loadMysql2(): Promise<typeof mysql2> {
  return import("mysql2/promise").catch((cause: unknown) => {
    throw new MillraceError(
      "outbox-failed",
      "An outbox in MariaDB or MySQL needs the package mysql2: install it beside millrace (npm install mysql2).",
      { cause },
    );
  });
}

function drop(connection: PoolConnection): void {
  connection.destroy();
  // That has said goodbye, and waits for the other side's, which would hold the process.
  socketOf(connection.connection).destroy();
}

/** No type of mysql2 has it. */
function socketOf(connection: object): Socket {
  return (connection as { readonly stream: Socket }).stream;
}
