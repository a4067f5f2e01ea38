import { expect, test } from "vitest";
import { endpointOf } from "./endpoint.ts";

test.each([
  ["127.0.0.1:4222", { address: "127.0.0.1", port: 4222 }],
  ["nats.example.com:4333", { address: "nats.example.com", port: 4333 }],
  ["[::1]:4222", { address: "::1", port: 4222 }],
  ["nowhere", undefined],
])("%s", (server, endpoint) => {
  expect(endpointOf(server)).toEqual(endpoint);
});
