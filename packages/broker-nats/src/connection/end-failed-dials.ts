import { ProtocolHandler } from "@nats-io/nats-core/internal";

/** What of nats-core 3.4 is needed beside its types. */
interface Dialling {
  readonly transport?: { discard?(): void };
}

type Dial = (this: Dialling, server: unknown) => Promise<void>;

let isDone = false;

/**
 * Has a dial of nats-core that failed close its socket. It leaves one open whose server has taken
 * it and says nothing, as one that is frozen does: where that was the connection's first dial
 * nobody closes it any more. Each further dial left another, and once the server went on, the
 * process did not end by itself.
 *
 * It concerns all connections that are made with this copy of nats-core, a program's own as well.
 */
export function endFailedDials(): void {
  if (isDone) return;
  isDone = true;
  const handler = ProtocolHandler.prototype as unknown as { dial: Dial };
  const { dial } = handler;
  handler.dial = async function (server) {
    try {
      await dial.call(this, server);
    } catch (error) {
      this.transport?.discard?.();
      throw error;
    }
  };
}
