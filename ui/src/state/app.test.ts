import { describe, expect, test, vi } from "vitest";

import type { Backend, Told } from "../backend";
import { scene } from "../backend/fake_scenes";
import { App } from "./app.svelte";
import { problems } from "./problems";
import { isAbsolute, lastPart } from "./paths";
import { keyOf, modifier, shortcut } from "./shortcuts";
import { headline } from "./summary";

function appAt(name: string): App {
  const backend: Backend = {
    abilities: { chooseDirectory: true, openFolder: true, help: true },
    watch: () => () => undefined,
    command: () => Promise.resolve({ kind: "accepted", answer: { answer: "accepted" } }),
    links: () => () => undefined,
    start: () => Promise.resolve(),
    unlock: () => Promise.resolve({ kind: "accepted", answer: { answer: "accepted" } }),
    serverHere: () => () => undefined,
    runServer: () => Promise.resolve({ kind: "accepted", answer: { answer: "accepted" } }),
    pickDirectory: () => Promise.resolve({ kind: "nothing" }),
    openLog: () => Promise.resolve({ kind: "accepted", answer: { answer: "accepted" } }),
    saveDiagnostics: () => Promise.resolve({ kind: "nothing" }),
    openFolder: () => Promise.resolve({ kind: "accepted", answer: { answer: "accepted" } }),
    desktop: null,
  };
  const app = new App(backend);
  app.hear({ kind: "view", view: scene(name, 0) });
  return app;
}

test("what was shown stays while the device does not answer", () => {
  const app = appAt("synced");
  app.go({ at: "folders" });
  app.hear({ kind: "lost" });
  expect([app.isLost, app.view?.folders.length, app.place.at]).toEqual([true, scene("synced", 0).folders.length, "folders"]);
  app.hear({ kind: "view", view: scene("synced", 0) });
  expect(app.isLost).toBe(false);
  app.hear({ kind: "locked", wants: "link", error: null });
  expect(app.view).toBeNull();
});

describe("the headline", () => {
  test.each([
    ["empty", "alone"],
    ["paired", "no_folders"],
    ["synced", "in_sync"],
    ["syncing", "syncing"],
    ["trouble", "attention"],
  ])("of the scene %s is %s", (name, kind) => {
    expect(appAt(name).headline?.kind).toBe(kind);
  });
});

test("the headline says in sync only of folders that somebody else takes part in", () => {
  const view = scene("synced", 0);
  const kindOf = (part: string) => {
    const folders = view.folders.map((each) => ({ ...each, peers: [{ id: "anna", state: part }] }));
    return headline({ ...view, folders }, new Map()).kind;
  };
  expect(["invited", "away", "connected"].map(kindOf)).toEqual(["only_here", "nobody_here", "in_sync"]);
});

test("the headline says why nothing moves while something could", () => {
  const view = scene("syncing", 0);
  const traffic = { rule: { rule: "pause" }, because: "schedule" } as const;
  const held = { ...view, device: { ...view.device, traffic } };
  expect(headline(held, new Map())).toEqual({ kind: "held", because: "schedule" });
  expect(headline({ ...held, folders: scene("synced", 0).folders }, new Map()).kind).toBe("in_sync");
});

test("the headline counts conflicts, and says when people have paused all", () => {
  const folders = scene("full", 0).folders;
  const of = (...ids: string[]) => {
    const chosen = folders.filter(({ id }) => ids.includes(id));
    return headline({ ...scene("full", 0), folders: chosen }, new Map());
  };
  expect(of("notes", "photos")).toEqual({ kind: "conflicts", count: 4 });
  expect(of("archive")).toEqual({ kind: "paused" });
  expect(of("backup")).toEqual({ kind: "attention", count: 1 });
});

describe("problems", () => {
  test("are told the gravest first", () => {
    const kinds = problems(scene("trouble", 0)).map(({ kind }) => kind);
    expect(kinds).toEqual(["impostor", "paused", "server_offline", "key_file"]);
  });

  test("say that this device, or another one, is two", () => {
    const found = problems(scene("twins", 0));
    expect(found).toEqual([
      { kind: "twin", weight: "problem" },
      { kind: "twins", weight: "problem", peer: "nas", name: "Cellar NAS" },
    ]);
  });

  test("stay until they are solved; notes can be dismissed", () => {
    const app = appAt("trouble");
    app.dismiss("key_file");
    app.dismiss("server_offline");
    expect(app.problems.map(({ kind }) => kind)).toEqual(["impostor", "paused", "server_offline"]);
  });
});

test("a server that is tried again stays a problem until it answers", () => {
  const app = appAt("trouble");
  const view = scene("trouble", 0);
  const at = (state: "connecting" | "online") => ({ ...view, server: { ...view.server, url: null, state: { state } } });
  const isTold = () => app.problems.some(({ kind }) => kind === "server_offline");
  app.hear({ kind: "view", view: at("connecting") });
  expect(isTold()).toBe(true);
  app.hear({ kind: "view", view: at("online") });
  app.hear({ kind: "view", view: at("connecting") });
  expect(isTold()).toBe(false);
});

describe("the first start", () => {
  test("is shown to a new device until its person goes somewhere", () => {
    const app = appAt("new");
    expect(app.isFirstStart).toBe(true);
    app.go({ at: "pair", first: "show" });
    expect(app.isFirstStart).toBe(false);
  });

  test("is not shown to a device that knows somebody", () => {
    expect(appAt("paired").isFirstStart).toBe(false);
  });
});

describe("a link that somebody opens", () => {
  const link = "towline://pair?v=1&c=K7M&k=secret";

  test("is shown on the pairing screen, also to a new device, and nothing is done with it", () => {
    const app = appAt("new");
    const command = vi.spyOn(app.backend, "command");
    app.open(link);
    expect([app.place, app.link]).toEqual([{ at: "pair", first: "enter" }, link]);
    expect(app.isFirstStart).toBe(false);
    expect(command).not.toHaveBeenCalled();
  });

  test("is dropped when the person goes elsewhere", () => {
    const app = appAt("synced");
    app.open(link);
    app.go({ at: "folders" });
    expect(app.link).toBeNull();
  });
});

describe("what is dragged onto the window", () => {
  const chosen = { kind: "chosen", path: "/home/ada/Photos" } as const;

  test("is a folder to add when it is dropped", () => {
    const app = appAt("synced");
    app.drag({ kind: "over" });
    expect(app.isDraggedOver).toBe(true);
    app.drag(chosen);
    expect([app.isDraggedOver, app.place, app.dropped]).toEqual([false, { at: "add_folder", peer: null }, chosen]);
  });

  test("changes nothing when it is taken away", () => {
    const app = appAt("synced");
    app.drag({ kind: "over" });
    app.drag({ kind: "away" });
    expect([app.isDraggedOver, app.place, app.dropped]).toEqual([false, { at: "home" }, null]);
  });

  test("leaves who shall take part as it was, and is forgotten elsewhere", () => {
    const app = appAt("synced");
    app.go({ at: "add_folder", peer: "anna" });
    app.drag(chosen);
    expect(app.place).toEqual({ at: "add_folder", peer: "anna" });
    app.go({ at: "folders" });
    expect(app.dropped).toBeNull();
  });

  test("is nothing while there is no device", () => {
    const app = appAt("synced");
    app.hear({ kind: "ended", error: null });
    app.drag({ kind: "over" });
    app.drag(chosen);
    expect([app.isDraggedOver, app.place, app.dropped]).toEqual([false, { at: "home" }, null]);
  });
});

test("a notice that is opened leads to its place", () => {
  const app = appAt("synced");
  vi.spyOn(app.noticing, "placeOf").mockImplementation((tag) => (tag === "one" ? { at: "devices" } : null));
  app.openNotice("other");
  expect(app.place).toEqual({ at: "home" });
  app.openNotice("one");
  expect(app.place).toEqual({ at: "devices" });
});

test("progress runs while a folder syncs and ends with it", () => {
  const app = appAt("syncing");
  expect([...app.progress.keys()]).toEqual(["film"]);
  app.hear({ kind: "view", view: scene("synced", 0) });
  expect(app.progress.size).toBe(0);
});

test("without a view there is nothing to show", () => {
  const app = appAt("synced");
  const ended: Told = { kind: "ended", error: null };
  app.hear(ended);
  expect([app.view, app.headline, app.problems]).toEqual([null, null, []]);
});

test("a toast goes by itself", () => {
  vi.useFakeTimers();
  const app = appAt("synced");
  app.say("done");
  expect(app.toast).toBe("done");
  vi.runAllTimers();
  expect(app.toast).toBe("");
  vi.useRealTimers();
});

test("a device that ends within a second does so unseen", () => {
  vi.useFakeTimers();
  const app = appAt("synced");
  app.hear({ kind: "ending" });
  vi.advanceTimersByTime(900);
  expect(app.told.kind).toBe("view");
  vi.advanceTimersByTime(200);
  expect(app.told.kind).toBe("ending");
  vi.useRealTimers();
});

test("keys lead to places only with their modifier", () => {
  const press = { key: "2", ctrlKey: true, metaKey: false, altKey: false, shiftKey: false };
  expect(shortcut(press)).toEqual({ wish: "go", place: { at: "folders" } });
  expect(shortcut({ ...press, key: "p" })).toEqual({ wish: "go", place: { at: "pair", first: "show" } });
  expect(shortcut({ ...press, key: "k" })).toEqual({ wish: "find" });
  expect(shortcut({ ...press, key: "q" })).toEqual({ wish: "quit" });
  expect(shortcut({ ...press, ctrlKey: false })).toBeNull();
  expect(shortcut({ ...press, altKey: true })).toBeNull();
});

test("a place tells its key, and a platform its modifier", () => {
  expect(keyOf({ at: "add_folder", peer: null })).toBe("N");
  expect([keyOf({ at: "add_folder", peer: "anna" }), keyOf({ at: "pair", first: "enter" })]).toEqual([null, null]);
  expect(["MacIntel", "Linux x86_64", "Win32"].map(modifier)).toEqual(["⌘", "Ctrl", "Ctrl"]);
});

test("paths of every system are known by their beginning", () => {
  expect(["/a", "C:\\a", "c:/a", "\\\\nas\\a"].every(isAbsolute)).toBe(true);
  expect(["a", "./a", "~/a", ""].some(isAbsolute)).toBe(false);
  expect([lastPart("/a/b/"), lastPart("C:\\a\\b"), lastPart("/")]).toEqual(["b", "b", ""]);
});
