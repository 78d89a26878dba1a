/** Keys that go somewhere from everywhere; shown to people under Settings. */
import type { Place } from "./app.svelte";

/** What of a key press matters. */
export interface Press {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
}

/** What a key press asks for. */
export type Wish = { wish: "go"; place: Place } | { wish: "find" } | { wish: "quit" };

/** The key that finds everything by its name. */
export const FIND_KEY = "K";

/** The key that ends the app. */
const QUIT_KEY = "Q";

const PLACES = new Map<string, Place>([
  ["1", { at: "home" }],
  ["2", { at: "folders" }],
  ["3", { at: "devices" }],
  ["4", { at: "network" }],
  ["5", { at: "settings" }],
  ["P", { at: "pair", first: "show" }],
  ["N", { at: "add_folder", peer: null }],
]);

/** What a key press asks for, if anything. */
export function shortcut(press: Press): Wish | null {
  const isOne = (press.ctrlKey || press.metaKey) && !press.altKey && !press.shiftKey;
  if (!isOne) return null;
  const key = press.key.toUpperCase();
  if (key === FIND_KEY) return { wish: "find" };
  if (key === QUIT_KEY) return { wish: "quit" };
  const place = PLACES.get(key);
  return place ? { wish: "go", place } : null;
}

/** The key that goes to a place, if there is one. */
export function keyOf(place: Place): string | null {
  const wanted = JSON.stringify(place);
  for (const [key, each] of PLACES) if (JSON.stringify(each) === wanted) return key;
  return null;
}

/** The key that is held with each of them, as it is called on a platform. */
export function modifier(platform: string): string {
  return /mac/i.test(platform) ? "⌘" : "Ctrl";
}
