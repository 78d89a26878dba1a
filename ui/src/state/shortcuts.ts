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

const PLACES = new Map<string, Place>([
  ["1", { at: "home" }],
  ["2", { at: "folders" }],
  ["3", { at: "devices" }],
  ["4", { at: "network" }],
  ["5", { at: "settings" }],
  ["p", { at: "pair", first: "show" }],
  ["n", { at: "add_folder", peer: null }],
]);

/** Where a key press leads, if anywhere. */
export function shortcut(press: Press): Place | null {
  const isOne = (press.ctrlKey || press.metaKey) && !press.altKey && !press.shiftKey;
  return isOne ? (PLACES.get(press.key.toLowerCase()) ?? null) : null;
}
