import type { Clock, Timer } from "@millrace/core";
import type { LiveFeed } from "./live-feed.ts";

/**
 * Proxies cut connections on which nothing is said, and a page can't tell a dashboard whose machine
 * is gone from one that has nothing to say. A page that hears none for 40 s takes it for gone.
 */
const SIGN_OF_LIFE_MS = 15_000;

/** The page that follows the feed. */
export interface LivePage {
  /** Aborted when it goes. */
  readonly signal: AbortSignal;
  /** Whether who looks at it still may. Asked before each sign of life but the first. */
  readonly isLetIn: () => Promise<boolean>;
  /** Told why that could not be found out. */
  readonly onDefect?: ((error: unknown) => void) | undefined;
}

/**
 * The feed as server-sent events, for one page. Ends when the page goes, with the feed, or where
 * the login is over: a page that asks again is then refused.
 */
export function liveStream(feed: LiveFeed, clock: Clock, page: LivePage): Response {
  const { signal, isLetIn, onDefect } = page;
  const encoder = new TextEncoder();
  let end: () => void = () => {};
  let isOver = false;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      let timer: Timer;
      const send = (text: string): void => {
        // A page that does not read is let go; it comes back by itself and asks for everything.
        if ((controller.desiredSize ?? 0) < -MOST_UNREAD) end();
        else controller.enqueue(encoder.encode(text));
      };
      const inABreath = (act: () => void): void => {
        timer = clock.setTimer(SIGN_OF_LIFE_MS, act);
        timer.unref?.();
      };
      const breathe = (): void => {
        inABreath(() => void breatheIfLetIn());
        send("event: alive\ndata: -\n\n");
      };
      // What can't be found out ends it too: the page comes back by itself, and is told why not.
      const breatheIfLetIn = async (): Promise<void> => {
        inABreath(() => end());
        const isStill = await isLetIn().catch((error: unknown) => {
          onDefect?.(error);
          return false;
        });
        if (isOver) return;
        timer.cancel();
        if (isStill) breathe();
        else end();
      };
      const unlisten = feed.listen({
        tell: (news) => send(`data: ${JSON.stringify(news)}\n\n`),
        end: () => end(),
      });
      end = () => {
        end = () => {};
        isOver = true;
        unlisten();
        timer.cancel();
        controller.close();
      };
      breathe();
      if (signal.aborted) end();
      else signal.addEventListener("abort", () => end(), { once: true });
    },
    cancel() {
      // The reader has closed it already.
      const ended = end;
      end = () => {};
      try {
        ended();
      } catch {
        // Closing what is closed is an error of the stream's, and none of ours.
      }
    },
  });
  return new Response(body, {
    headers: {
      "content-type": "text/event-stream",
      "cache-control": "no-store, no-transform",
      // Asks nginx not to gather what is to be live.
      "x-accel-buffering": "no",
    },
  });
}

const MOST_UNREAD = 100;
