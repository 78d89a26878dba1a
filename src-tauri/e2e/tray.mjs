/**
 * A desktop's real tray: the panel of Xfce, which is a watcher and a host of status notifiers. It draws the signs of apps;
 * what it reads of them, and says when somebody presses, is read and said here in the same way on the bus.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";

import { directory, program, until } from "./driver.mjs";

const WATCHER = "org.kde.StatusNotifierWatcher";
const ITEM = "/StatusNotifierItem";
const MENU = "/StatusNotifierItem/Menu";

/** Opens the panel, which keeps its settings apart from those of whoever runs the tests. */
export async function openTray() {
  const settings = { XDG_CONFIG_HOME: directory("panel") };
  spawnSync("dbus-update-activation-environment", [`XDG_CONFIG_HOME=${settings.XDG_CONFIG_HOME}`]);
  const panel = program("panel", "xfce4-panel", ["--disable-wm-check"], settings);
  await until("a tray", () => /boolean true/.test(told("IsStatusNotifierHostRegistered") ?? ""));
  return new Tray(panel);
}

class Tray {
  constructor(panel) {
    this.panel = panel;
  }

  /** The bus names of all signs that the tray shows; `null` when it does not answer. */
  signs() {
    const items = told("RegisteredStatusNotifierItems");
    return items === null ? null : [...items.matchAll(/"(:[0-9.]+)/g)].map(([, name]) => name);
  }

  /** Waits for the one sign, and gives it. */
  async sign() {
    const one = () => {
      const signs = this.signs();
      return signs?.length === 1 && signs[0];
    };
    return new Sign(await until("one sign in the tray", one));
  }

  /** Waits until no app has a sign any more, as when the last one has ended. */
  empty() {
    return until("an empty tray", () => this.signs()?.length === 0);
  }

  end() {
    return this.panel.end();
  }
}

class Sign {
  constructor(name) {
    this.name = name;
  }

  /** What is said beside the pointer. */
  tip() {
    return property(this.name, ITEM, "org.kde.StatusNotifierItem", "ToolTip");
  }

  /** A press on it. */
  press() {
    call(this.name, ITEM, "org.kde.StatusNotifierItem.Activate", "int32:0", "int32:0");
  }

  /** The lines of its menu. */
  lines() {
    const layout = call(this.name, MENU, "com.canonical.dbusmenu.GetLayout", "int32:0", "int32:-1", "array:string:");
    // The first two are the answer and the menu itself.
    const pieces = (layout ?? "").split("struct {").slice(2);
    return pieces.map((piece) => ({
      number: /int32 (\d+)/.exec(piece)?.[1],
      text: /string "label"\s+variant\s+string "(.*)"/.exec(piece)?.[1] ?? null,
      isChoice: !/string "(enabled|type)"/.test(piece),
    }));
  }

  /** Waits until its menu has a line with this text. */
  see(text) {
    return until(`“${text}” in the menu of the tray`, () => this.lines().find((line) => line.text === text));
  }

  /** Chooses the line with this text. */
  async choose(text) {
    const { number, isChoice } = await this.see(text);
    assert.ok(isChoice, `“${text}” cannot be chosen`);
    const event = [`int32:${number}`, "string:clicked", "variant:int32:0", "uint32:0"];
    call(this.name, MENU, "com.canonical.dbusmenu.Event", ...event);
  }
}

function told(name) {
  return property(WATCHER, "/StatusNotifierWatcher", WATCHER, name);
}

function property(destination, path, of, name) {
  return call(destination, path, "org.freedesktop.DBus.Properties.Get", `string:${of}`, `string:${name}`);
}

/** What is answered on the bus; `null` when nobody is there. */
function call(destination, path, method, ...args) {
  const asked = ["--session", "--print-reply", `--dest=${destination}`, path, method, ...args];
  const { status, stdout, error } = spawnSync("dbus-send", asked, { encoding: "utf8" });
  if (error) throw error;
  return status === 0 ? stdout : null;
}
