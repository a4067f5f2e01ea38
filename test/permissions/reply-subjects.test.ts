import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "millrace";
import { expect, it } from "vitest";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { asRole, passwordServer } from "./roles.ts";

const TARGETS = [
  "millrace.requeue.mail",
  "millrace.dead.mail.x",
  "$KV.millrace-locks.mine",
  "$JS.API.STREAM.PURGE.millrace-queue-mail",
] as const;

/**
 * A publisher names the subject its acknowledgement goes to, and no permission is asked for that
 * one.
 */
describeEachServer(
  "an acknowledgement sent elsewhere",
  (server) => {
    it.each([
      ["shop", 0],
      // What the accounts are for: with a user of the same account it works.
      ["node", 1],
    ] as const)("%s", async (role, reached) => {
      await using millrace = await connect({
        servers: server.url,
        user: "operator",
        password: "operator",
      });
      await millrace.queues.ensure("mail");
      await millrace.lock("there-is-a-bucket", { lease: "5s" }, () => undefined);
      const jsm = await jetstreamManager(await asRole(server, "operator"));
      const stored = async (name: string): Promise<number> => {
        const { state } = await jsm.streams.info(name);
        return state.last_seq;
      };
      const before = {
        queue: await stored("millrace-queue-mail"),
        locks: await stored("KV_millrace-locks"),
      };
      const publisher = await asRole(server, role);
      for (const reply of TARGETS) publisher.publish("millrace.jobs.mail", "{}", { reply });
      // Both are answered after what was published before them on the same connection has been
      // stored.
      const last = await publisher.request("millrace.jobs.mail", "{}");
      expect(last.json()).toMatchObject({ stream: "millrace-queue-mail" });
      await jsm.streams.info("millrace-queue-mail");

      const jobs = TARGETS.length + 1;
      const arrived = async () => ({
        queue: (await stored("millrace-queue-mail")) - before.queue - jobs,
        locks: (await stored("KV_millrace-locks")) - before.locks,
      });
      // An acknowledgement is stored in its own time.
      await eventually(async () => (await arrived()).locks === reached, {
        ...{ withinMs: 20_000, describe: `${reached} acknowledgements among the locks` },
      });
      await eventually(async () => (await arrived()).queue === reached, {
        ...{ withinMs: 20_000, describe: `${reached} acknowledgements in the queue` },
      });
      expect(await arrived()).toEqual({ queue: reached, locks: reached });
    });
  },
  { ...passwordServer(), undisturbed: "its producer is a bare client, which doesn't send again" },
);
