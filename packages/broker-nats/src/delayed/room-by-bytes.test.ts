import { expect, test } from "vitest";
import { RoomByBytes } from "./room-by-bytes.ts";

test("never asks for more than fits at the size of what came before", () => {
  const room = new RoomByBytes();
  const megabyte = 1024 * 1024;
  expect(room.left()).toBe(256);
  for (let taken = 0; taken < 64; taken += 1) room.take(megabyte);
  expect(room.left()).toBe(0);
  room.free(megabyte);
  expect(room.left()).toBe(1);
});

test("comes to hold many where they are small, and stops at a number", () => {
  const room = new RoomByBytes();
  for (let taken = 0; taken < 200; taken += 1) {
    room.take(100);
    room.free(100);
  }
  expect(room.left()).toBe(20_000);
  for (let taken = 0; taken < 20_000; taken += 1) room.take(100);
  expect(room.left()).toBe(0);
});
