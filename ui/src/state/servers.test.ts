import { expect, test } from "vitest";

import { scene } from "../backend/fake_scenes";
import { isWithoutServer, mayChange, ownServers, visited } from "./servers";

test("own servers stand in their order, each with its state, whichever is in use", () => {
  const { server } = scene("fallback", 0);
  const [first, second] = server.own;
  const states = ownServers(server).map(({ url, state }) => [url, state?.state]);
  expect(states).toEqual([[first, "online"], [second, "offline"]]);
  const elsewhere = { url: "wss://far.example/ws", proxy: null, state: { state: "online" } as const };
  const visiting = { ...server, others: [...server.others, elsewhere] };
  expect(visited(visiting)).toEqual([elsewhere]);
  expect(ownServers(visiting)).toHaveLength(2);
});

test("within the local network the servers that are set are asked by nobody", () => {
  const view = scene("locked", 0);
  const near = { ...view.server, url: null, state: { state: "none" } as const };
  expect(ownServers(near).map(({ state }) => state)).toEqual([null]);
  expect(isWithoutServer({ ...view, server: { ...near, own: [] } })).toBe(false);
});

test("what others have set is not for this person to change", () => {
  const { server } = scene("near", 0);
  expect(mayChange(server)).toBe(true);
  expect(mayChange({ ...server, set_by: "start" })).toBe(false);
  expect(mayChange({ ...server, set_by: "administrator" })).toBe(false);
  expect(isWithoutServer(scene("near", 0))).toBe(true);
});
