import { type BrokerStatus, MillraceError, type ServerEndpoint } from "@millrace/core";
import {
  AuthorizationError,
  type NatsConnection,
  UserAuthenticationExpiredError,
} from "@nats-io/nats-core";
import { tellEach } from "./hear-on.ts";
import { watchConnection } from "./connection-events.ts";
import { endpointOf } from "./endpoint.ts";
import { type ServerFeatures, serverFeatures } from "./server-features.ts";

export interface LineListener {
  /** After a reconnect: it is another one, or the same one upgraded. */
  onOtherServer(): void;
  /** It can't be used: what the one before it could do counts on. */
  onUnknownServer(error: unknown): void;
  /** It refuses the credentials of a reconnect, which is tried again. Once an outage. */
  onRefused(refusal: MillraceError): void;
}

/** Whether a connection is up, and to what. */
export class Line {
  readonly #nc: NatsConnection;
  readonly #listener: LineListener;
  readonly #listeners = new Set<(status: BrokerStatus) => void>();
  readonly #unwatch: () => void;
  #status: BrokerStatus = "connected";
  #refusal: MillraceError | undefined;
  #features: ServerFeatures;
  #endpoint: { readonly server: string; readonly endpoint: ServerEndpoint | undefined } | undefined;

  constructor(nc: NatsConnection, features: ServerFeatures, listener: LineListener) {
    this.#nc = nc;
    this.#features = features;
    this.#listener = listener;
    this.#unwatch = watchConnection(nc, (status) => {
      const { type } = status;
      if (type === "error") this.#refused(status.error);
      if (type === "disconnect") this.#become("disconnected");
      if (type === "reconnect") this.#reconnected();
      if (type === "close") this.#become("closed");
    });
  }

  get status(): BrokerStatus {
    return this.#status;
  }

  /** Why a server that was reached does not let the connection in. */
  get refusal(): MillraceError | undefined {
    return this.#refusal;
  }

  /** What the connected server can do. */
  get features(): ServerFeatures {
    return this.#features;
  }

  // Asked for every attempt that is traced; another server is met once in a reconnect.
  get endpoint(): ServerEndpoint | undefined {
    const server = this.#nc.getServer();
    if (this.#endpoint?.server !== server)
      this.#endpoint = { server, endpoint: endpointOf(server) };
    return this.#endpoint.endpoint;
  }

  onStatus(listener: (status: BrokerStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Its connection was closed. */
  close(): void {
    this.#unwatch();
    this.#become("closed");
  }

  /** What is said of credentials while connected says that they must be shown anew. */
  #refused(error: unknown): void {
    if (this.#status !== "disconnected" || this.#refusal !== undefined || !isRefusal(error)) return;
    this.#refusal = new MillraceError(
      "auth-failed",
      "The NATS server refuses the credentials of this connection. They may have been revoked or replaced: give it those that count. Connecting goes on meanwhile.",
      { cause: error },
    );
    this.#listener.onRefused(this.#refusal);
  }

  #reconnected(): void {
    this.#refusal = undefined;
    const version = this.#nc.info?.version ?? "";
    if (version !== this.#features.version) {
      try {
        this.#features = serverFeatures(version);
      } catch (error) {
        this.#listener.onUnknownServer(error);
      }
      this.#listener.onOtherServer();
    }
    this.#become("connected");
  }

  #become(status: BrokerStatus): void {
    if (this.#status === status || this.#status === "closed") return;
    this.#status = status;
    tellEach(this.#nc, [...this.#listeners], status);
  }
}

/** One that came too late with its credentials was not refused for them. */
function isRefusal(error: unknown): boolean {
  if (error instanceof UserAuthenticationExpiredError) return true;
  return error instanceof AuthorizationError && !/timeout/i.test(error.message);
}
