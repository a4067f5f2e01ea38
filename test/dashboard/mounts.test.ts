// Where applications mount the dashboard: each framework as it is documented, over a real port.
import "reflect-metadata";
import { createServer, type RequestListener, type Server } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import express from "express";
import fastify from "fastify";
import { Hono } from "hono";
import type { Dashboard } from "millrace/dashboard";
import { expect, onTestFinished, test } from "vitest";
import { listen, originOf } from "./listen.ts";
import { servesBelow } from "./mounted.ts";
import { OF_THE_PAGE, type Scene, scene } from "./scene.ts";

const BASE = "/admin/jobs";
function listenerOf(answer: (request: Request) => Promise<Response> | Response): RequestListener {
  const listener = getRequestListener(answer, { overrideGlobalObjects: false });
  return (incoming, outgoing) => void listener(incoming, outgoing);
}

/** Each gives the origin at which its application answers. */
const FRAMEWORKS: Readonly<Record<string, (dashboard: Dashboard) => Promise<string>>> = {
  hono: (dashboard) => {
    const app = new Hono().get("/", (context) => context.text("the application"));
    app.mount(BASE, dashboard);
    return listen(createServer(listenerOf((request) => app.fetch(request))));
  },

  express: (dashboard) => {
    const app = express();
    app.use(BASE, listenerOf(dashboard));
    // Behind it: what has read the body leaves none for the dashboard.
    app.use(express.json());
    app.get("/", (_request, response) => void response.send("the application"));
    return listen(createServer(app));
  },

  fastify: async (dashboard) => {
    const app = fastify();
    onTestFinished(() => app.close());
    app.get("/", () => "the application");
    const listener = listenerOf(dashboard);
    await app.register(async (scope) => {
      // The dashboard reads its bodies itself.
      scope.removeAllContentTypeParsers();
      scope.addContentTypeParser("*", (_request, _body, done) => done(null));
      for (const url of [BASE, `${BASE}/*`])
        scope.all(url, (request, reply) => {
          reply.hijack();
          listener(request.raw, reply.raw);
        });
    });
    return app.listen({ port: 0, host: "127.0.0.1" });
  },

  nest: async (dashboard) => {
    class AppModule {
      readonly name = "shop";
    }
    Module({})(AppModule);
    const app = await NestFactory.create(AppModule, { logger: false });
    onTestFinished(() => app.close());
    app.use(BASE, listenerOf(dashboard));
    await app.listen(0, "127.0.0.1");
    return originOf(app.getHttpServer() as Server);
  },

  "a route handler, as Next calls one": (dashboard) => {
    // app/admin/jobs/[[...path]]/route.ts exports it as GET and POST. Next hands it a request of a
    // class of its own and the parameters of the path.
    class NextRequest extends Request {
      readonly nextUrl = new URL(this.url);
    }
    const route = dashboard as (request: NextRequest, context: object) => Promise<Response>;
    return listen(
      createServer(
        listenerOf((request) => {
          const { pathname } = new URL(request.url);
          const path = pathname.slice(BASE.length).split("/").filter(Boolean);
          const { url, method, headers, body, signal } = request;
          const given = new NextRequest(url, {
            ...{ method, headers, body, signal },
            ...(body === null ? {} : { duplex: "half" }),
          });
          return route(given, { params: Promise.resolve({ path }) });
        }),
      ),
    );
  },
};

async function mounted(framework: string): Promise<Scene & { readonly origin: string }> {
  const made = await scene({ basePath: `${BASE}/` });
  const mount = FRAMEWORKS[framework];
  if (mount === undefined) throw new Error(`no framework ${framework}`);
  return { ...made, origin: await mount(made.dashboard) };
}

test.each(Object.keys(FRAMEWORKS))(
  "in %s it serves its page below its path, answers, changes, and feeds what is live",
  async (framework) => {
    const { t, origin } = await mounted(framework);
    await servesBelow(`${origin}${BASE}`, t.client.queues);
  },
);

test("behind a parser that has read the body a change is refused, and not waited for", async () => {
  const { dashboard, t } = await scene({ basePath: `${BASE}/` });
  const app = express();
  app.use(express.json());
  app.use(BASE, listenerOf(dashboard));
  const origin = await listen(createServer(app));
  const change = await fetch(`${origin}${BASE}/api/queues/mail/pause`, {
    method: "POST",
    headers: { ...OF_THE_PAGE, origin },
    body: JSON.stringify({ reason: "deploy" }),
    signal: AbortSignal.timeout(60_000),
  });
  expect({ status: change.status, body: await change.json() }).toMatchObject({
    status: 400,
    body: { error: { code: "invalid-option" } },
  });
  expect(await t.client.queues.snapshot("mail")).not.toHaveProperty("paused");
});
