/**
 * The desktop around the windows: a window manager, and what people do there and WebDriver cannot,
 * which is to close and to move a window and to use the system's own dialogs. A dialog is known by its title;
 * keys reach it as they come from a keyboard, so it is waited for until it has the focus.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";

import { picturePath, program, until } from "./driver.mjs";

/** A picture of a dialog that fills the screen, three bytes a pixel: 5 MB. More is a mistake. */
const PICTURE_BYTES_MAX = 16_000_000;

/** Where the first row of a dialog's list is in it, as `placeOf` tells places; no theme makes rows so thin that it is beside. */
const FIRST_ROW = { x: 240, y: 63 };

/** Thicker than what the window manager puts around a window. */
const FRAME = 50;

/**
 * Starts the window manager in the place of the last one, which may still be ending. There is one
 * desktop at a time.
 */
export async function openDesktop() {
  const manager = program("openbox", "openbox", ["--replace"]);
  await until("the window manager", () => ask("wmctrl", "-m") !== null);
  return new Desktop(manager);
}

class Desktop {
  constructor(manager) {
    this.manager = manager;
  }

  /** Waits for the one window of this title, and gives its number. */
  window(title) {
    return until(`a window “${title}”`, () => onlyOne(title));
  }

  /** Closes a window as its button does. */
  close(window) {
    ask("wmctrl", "-i", "-c", window);
  }

  /** Puts a window away as its button does. */
  async putAway(window) {
    ask("xdotool", "windowminimize", window);
    await until("the window to be away", () => !isShown(window));
  }

  /** Presses keys in the window that takes them. */
  keys(keys) {
    ask("xdotool", "key", keys);
  }

  /** Waits until a window lies small among the others. */
  small(window) {
    return until("a window made small", () =>
      /window state: Iconic/.test(ask("xprop", "-id", window, "WM_STATE") ?? ""),
    );
  }

  /** The window that takes the keys. */
  front() {
    return ask("xdotool", "getactivewindow");
  }

  /** Waits until a window is shown and takes the keys. */
  inFront(window) {
    return until("the window in front", () => isShown(window) && this.front() === window);
  }

  /** Gives a window a size and moves it; where it is then, because its frame takes some of the way. */
  async place(window, { x, y, width, height }) {
    ask("xdotool", "windowsize", window, `${width}`, `${height}`);
    ask("xdotool", "windowmove", window, `${x}`, `${y}`);
    return until("the window at its place", () => {
      const there = this.placeOf(window);
      const isNear = Math.abs(there.x - x) < FRAME && Math.abs(there.y - y) < FRAME;
      return isNear && there.width === width && there.height === height && there;
    });
  }

  /** Where a window is on the screen: what it shows, without what the window manager adds. */
  placeOf(window) {
    const told = ask("xdotool", "getwindowgeometry", "--shell", window) ?? "";
    const number = (name) => Number(new RegExp(`^${name}=(-?\\d+)$`, "m").exec(told)?.[1]);
    return { x: number("X"), y: number("Y"), width: number("WIDTH"), height: number("HEIGHT") };
  }

  /** Chooses `path` in the dialog of this title by typing it, and waits until the dialog is gone. */
  async choose(title, path, picture) {
    const dialog = await this.dialog(title);
    // Its field for a path appears only on demand, and until then letters go elsewhere.
    const before = await still(dialog);
    ask("xdotool", "key", "ctrl+l");
    await until(`a field for a path in “${title}”`, () => look(dialog) !== before);
    ask("xdotool", "type", path);
    this.picture(picture);
    ask("xdotool", "key", "Return");
    await this.gone(title);
  }

  /**
   * Takes the first thing that the dialog of this title lists, holds it over a window until `isOver` says that
   * it has been noticed, and drops it there.
   */
  async drop(title, window, isOver, picture) {
    const dialog = await this.dialog(title);
    await still(dialog);
    const [from, to] = [this.placeOf(dialog), this.placeOf(window)];
    move(from.x + FIRST_ROW.x, from.y + FIRST_ROW.y);
    ask("xdotool", "mousedown", "1");
    // It is a drag, and no click, once the pointer has gone some way.
    for (let way = 10; way <= 50; way += 10) move(from.x + FIRST_ROW.x + way, from.y + FIRST_ROW.y);
    // Only a pointer that moves tells where it is.
    let step = 0;
    await until("the drag to be noticed", () => {
      step += 1;
      move(to.x + to.width / 2 + (step % 20), to.y + to.height / 2);
      return isOver();
    });
    this.picture(picture);
    ask("xdotool", "mouseup", "1");
  }

  /** Leaves the dialog of this title without a choice. */
  async leave(title, picture) {
    await still(await this.dialog(title));
    this.picture(picture);
    ask("xdotool", "key", "Escape");
    await this.gone(title);
  }

  /** Waits until the dialog of this title takes the keys, and gives its number. */
  async dialog(title) {
    const dialog = await this.window(title);
    const parent = ask("xprop", "-id", dialog, "WM_TRANSIENT_FOR");
    assert.match(parent, /window id # 0x/, `“${title}” belongs to no window`);
    ask("wmctrl", "-i", "-a", dialog);
    await until(`keys to reach “${title}”`, () => this.front() === dialog);
    return dialog;
  }

  gone(title) {
    return until(`“${title}” to close`, () => titled(title).length === 0);
  }

  /** Keeps a picture of the whole screen. */
  picture(name) {
    ask("import", "-window", "root", picturePath(name));
  }

  end() {
    return this.manager.end();
  }
}

function move(x, y) {
  ask("xdotool", "mousemove", `${x}`, `${y}`);
}

/** What a program answers; `null` when it fails, as most do while nothing is there yet. */
function ask(command, ...args) {
  const { status, stdout, error } = spawnSync(command, args, {
    encoding: "latin1",
    maxBuffer: PICTURE_BYTES_MAX,
  });
  if (error) throw error;
  return status === 0 ? stdout.trim() : null;
}

/** The numbers of all windows that are shown with this title. */
function titled(title) {
  const pattern = `^${title.replace(/[.*+?^$()[\]{}|\\]/g, "\\$&")}$`;
  const found = ask("xdotool", "search", "--onlyvisible", "--name", pattern);
  return found?.split("\n").filter(Boolean) ?? [];
}

function isShown(window) {
  return /window state: Normal/.test(ask("xprop", "-id", window, "WM_STATE") ?? "");
}

function onlyOne(title) {
  const found = titled(title);
  assert.ok(found.length <= 1, `“${title}” is open ${found.length} times`);
  return found[0];
}

/** How a window looks, as something to compare. */
function look(window) {
  return ask("import", "-window", window, "rgb:-");
}

/** Waits until a window has stopped to change, and gives how it looks then. */
async function still(window) {
  let last;
  await until("a window to come to rest", () => {
    const before = last;
    last = look(window);
    return last !== null && last === before;
  });
  return last;
}
