import { setTimeout as pause } from "node:timers/promises";
import { type Broker, type DocumentStore, type HeldLock, MillraceError } from "@millrace/core";
import type { NatsConnection } from "@nats-io/nats-core";
import { connected } from "../../broker-nats/connected.ts";
import { untilAnswered } from "../../harness/cluster/until-answered.ts";
import { administrator } from "../../harness/administrator.ts";
import { ledgerNowMs } from "../oracle/ledger-entry.ts";
import type { ConnectConfig } from "../programs/work.ts";

const ANSWER_MS = 1_000;
const BETWEEN_MS = 100;

/** What one side of a partition was told while it had no majority. */
export interface Told {
  /** The codes with which a renewal of a lock that nobody else wants was refused. */
  readonly renewals: ReadonlySet<string>;
  /** How tries to take a lock that nobody holds ended. */
  readonly acquisitions: ReadonlySet<string>;
  readonly tries: number;
  /** Until when a read was answered, on the ledger's clock. */
  readonly readsUntilMs: number;
}

/**
 * A client at a member that is cut off from the others: tries again and again what a majority must
 * agree to.
 */
export class IsolatedClient {
  readonly #lease: { readonly holder: string; readonly leaseMs: number };
  readonly #broker: Broker;
  readonly #documents: DocumentStore;
  readonly #nc: NatsConnection;
  readonly #stream: string;
  readonly #mine: HeldLock;
  #over = false;

  static async start(config: ConnectConfig, leaseMs: number): Promise<IsolatedClient> {
    const broker = await connected(config);
    const documents = await broker.documents("unique");
    const { nc } = await administrator({ url: config.servers });
    const lease = { holder: "isolated", leaseMs };
    const mine = await untilAnswered(() => broker.locks.acquire("mine", lease));
    if (mine === undefined) throw new Error("a lock that nobody holds was not given");
    const stream = `KV_${config.namespace}-locks`;
    return new IsolatedClient(broker, documents, nc, lease, mine, stream);
  }

  private constructor(
    broker: Broker,
    documents: DocumentStore,
    nc: NatsConnection,
    lease: { readonly holder: string; readonly leaseMs: number },
    mine: HeldLock,
    stream: string,
  ) {
    this.#broker = broker;
    this.#documents = documents;
    this.#nc = nc;
    this.#lease = lease;
    this.#mine = mine;
    this.#stream = stream;
  }

  /**
   * One write of a new document, whose answer may come when the partition is over.
   * @returns "written", or the code of its error
   */
  writeDocument(): Promise<string> {
    return codeOf(this.#documents.put("key", { of: "the isolated side" }, 0), () => "written");
  }

  /** Tries until `end`. */
  async insist(): Promise<Told> {
    const { locks } = this.#broker;
    const renewals = new Set<string>();
    const acquisitions = new Set<string>();
    let tries = 0;
    let readsUntilMs = 0;
    const again = async (act: () => Promise<void>): Promise<void> => {
      for (; !this.#over; await pause(BETWEEN_MS)) await act();
    };
    await Promise.all([
      again(
        async () => void renewals.add(await codeOf(locks.renew(this.#mine, this.#lease), given)),
      ),
      again(async () => {
        tries += 1;
        acquisitions.add(await codeOf(locks.acquire("free", this.#lease), given));
      }),
      again(async () => {
        if (await this.#isAnswered()) readsUntilMs = ledgerNowMs();
      }),
    ]);
    return { renewals, acquisitions, tries, readsUntilMs };
  }

  end(): void {
    this.#over = true;
  }

  async #isAnswered(): Promise<boolean> {
    const subject = `$JS.API.STREAM.MSG.GET.${this.#stream}`;
    const query = JSON.stringify({ last_by_subj: `$KV.${this.#stream.slice(3)}.>` });
    try {
      const reply = await this.#nc.request(subject, query, { timeout: ANSWER_MS });
      return "message" in reply.json<object>();
    } catch {
      return false;
    }
  }
}

function given(lock: HeldLock | undefined): string {
  return lock === undefined ? "busy" : "given";
}

async function codeOf<T>(attempt: Promise<T>, wordFor: (value: T) => string): Promise<string> {
  try {
    return wordFor(await attempt);
  } catch (error) {
    return MillraceError.is(error) ? error.code : String(error);
  }
}
