import { afterEach, beforeEach, expect, test, vi } from "vitest";

import type { Told } from "./index";
import { scene } from "./fake_scenes";
import { WebBackend, type Surroundings } from "./web";

const VIEW = scene("synced", 0);

/** A device as a tab sees it: what it asks, and what it is answered. */
class Device {
  token: string | null = null;
  kept = new Map<string, string>();
  asked: { path: string; shown: string | null; body: unknown }[] = [];
  password: string | null = null;
  /** Sessions that are good. */
  sessions = new Set<string>();
  isAway = false;
  events: ReadableStreamDefaultController<Uint8Array> | undefined;
  link: () => void = () => undefined;

  readonly tab: Surroundings = {
    fetch: (path, init) => this.#answer(String(path), init),
    storage: () => ({
      getItem: (key) => this.kept.get(key) ?? null,
      setItem: (key, value) => void this.kept.set(key, value),
      removeItem: (key) => void this.kept.delete(key),
    }),
    takeToken: () => {
      const { token } = this;
      this.token = null;
      return token;
    },
    onLink: (hear) => {
      this.link = hear;
      return () => undefined;
    },
  };

  say(text: string): void {
    this.events?.enqueue(new TextEncoder().encode(text));
  }

  async #answer(path: string, init?: RequestInit): Promise<Response> {
    const headers = new Headers(init?.headers);
    const shown = headers.get("Authorization")?.replace("Bearer ", "") ?? null;
    const body: unknown = init?.body === undefined ? null : JSON.parse(String(init.body));
    this.asked.push({ path, shown, body });
    if (this.isAway) throw new TypeError("nobody listens");
    if (path === "/api/door") return Response.json({ password: this.password !== null });
    if (path === "/api/session") {
      const { token, password } = body as { token?: string; password?: string };
      if (token !== "good" && (password === undefined || password !== this.password)) {
        return Response.json({ code: token === undefined ? "password" : "token", detail: null }, { status: 401 });
      }
      this.sessions.add("fresh");
      return Response.json({ session: "fresh" });
    }
    if (shown === null || !this.sessions.has(shown)) {
      return Response.json({ code: "session", detail: null }, { status: 401 });
    }
    if (path === "/api/command") return Response.json({ answer: "accepted" });
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.events = controller;
        init?.signal?.addEventListener("abort", () => controller.error(new Error("cut")));
      },
    });
    this.say(`${JSON.stringify({ kind: "view", view: VIEW })}\n`);
    return new Response(stream);
  }
}

/** What a tab is told. */
function follow(device: Device): { backend: WebBackend; told: Told[]; end: () => void } {
  const told: Told[] = [];
  const backend = new WebBackend(device.tab);
  const end = backend.watch((each) => void told.push(each));
  return { backend, told, end };
}

const settle = () => vi.advanceTimersByTimeAsync(1);
const kinds = (told: Told[]) => told.map(({ kind }) => kind);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("a link opens the device, and the tab keeps its session", async () => {
  const device = new Device();
  device.token = "good";
  const { backend, told, end } = follow(device);
  await settle();
  expect(told).toEqual([{ kind: "view", view: VIEW }]);
  expect(device.kept.get("session")).toBe("fresh");
  expect(await backend.command({ command: "cancel_pairing" })).toMatchObject({ kind: "accepted" });
  expect(device.asked.at(-1)).toEqual({ path: "/api/command", shown: "fresh", body: { command: "cancel_pairing" } });
  end();
  // Loaded again, the same tab needs no link.
  const again = follow(device);
  await settle();
  expect(kinds(again.told)).toEqual(["view"]);
  again.end();
});

test("without a link it is locked, and one that was used says so; a good one opens it", async () => {
  const device = new Device();
  device.token = "used";
  const { told, end } = follow(device);
  await settle();
  expect(told).toEqual([{ kind: "locked", wants: "link", error: { code: "token", detail: null } }]);
  device.token = "good";
  device.link();
  await settle();
  expect(kinds(told)).toEqual(["locked", "view"]);
  end();
});

test("a password opens it where there is one", async () => {
  const device = new Device();
  device.password = "correct horse battery";
  const { backend, told, end } = follow(device);
  await settle();
  expect(told).toEqual([{ kind: "locked", wants: "password", error: null }]);
  expect(await backend.unlock("wrong")).toEqual({ kind: "refused", error: { code: "password", detail: null } });
  expect(await backend.unlock("correct horse battery")).toMatchObject({ kind: "accepted" });
  await settle();
  expect(kinds(told)).toEqual(["locked", "view"]);
  end();
});

test("a device that is gone is lost until it is back, and locked when it knows the tab no more", async () => {
  const device = new Device();
  device.token = "good";
  const { backend, told, end } = follow(device);
  await settle();
  device.say('{"kind":"ended"}\n');
  device.isAway = true;
  await settle();
  expect(kinds(told)).toEqual(["view", "lost"]);
  expect(await backend.command({ command: "cancel_pairing" })).toMatchObject({ error: { code: "unreachable" } });
  await vi.advanceTimersByTimeAsync(3000);
  device.isAway = false;
  await vi.advanceTimersByTimeAsync(4000);
  expect(kinds(told).at(-1)).toBe("view");
  device.sessions.clear();
  device.say('{"kind":"ended"}\n');
  await vi.advanceTimersByTimeAsync(4000);
  expect(told.at(-1)).toEqual({ kind: "locked", wants: "link", error: null });
  expect(device.kept.size).toBe(0);
  end();
});

test("a device that is silent for too long is lost, and signs of life prevent it", async () => {
  const device = new Device();
  device.token = "good";
  const { told, end } = follow(device);
  await settle();
  for (let beat = 0; beat < 4; beat += 1) {
    await vi.advanceTimersByTimeAsync(30_000);
    device.say("\n");
  }
  await settle();
  expect(kinds(told)).toEqual(["view"]);
  await vi.advanceTimersByTimeAsync(46_000);
  expect(kinds(told)).toEqual(["view", "lost", "view"]);
  end();
});

test("lines come in any pieces, only the latest is shown, and what is none is not taken", async () => {
  const device = new Device();
  device.token = "good";
  const { told, end } = follow(device);
  await settle();
  const line = (revision: number) => JSON.stringify({ kind: "view", view: { ...VIEW, revision } });
  device.say(line(5).slice(0, 40));
  await settle();
  expect(told.length).toBe(1);
  device.say(`${line(5).slice(40)}\n${line(6)}\n${line(7)}\n`);
  await settle();
  expect(told.map((each) => (each.kind === "view" ? each.view.revision : null)).slice(1)).toEqual([7]);
  device.say('{"kind":"view","view":{"revision":9007199254740993}}\n');
  await settle();
  expect(kinds(told).at(-1)).toBe("lost");
  end();
});

test("what is refused comes with its code", async () => {
  const device = new Device();
  const { backend, end } = follow(device);
  await settle();
  const outcome = await backend.command({ command: "cancel_pairing" });
  expect(outcome).toEqual({ kind: "refused", error: { code: "session", detail: null } });
  end();
});
