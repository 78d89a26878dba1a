/**
 * Where a person can go, and what they can begin, by typing a part of its name: an entry for each
 * action, screen, invitation, folder and device, and those that match what is typed, the nearest
 * first.
 */
import type { View } from "../backend/generated/View";
import { words } from "../text";
import { plain } from "../text/names";
import type { Place } from "./app.svelte";

/** What an entry is. */
export type EntryKind = "action" | "screen" | "invitation" | "folder" | "device";

/** Something that can be chosen by its name. */
export interface Entry {
  id: string;
  kind: EntryKind;
  name: string;
  place: Place;
}

/** What matches: the first of them, and how many there are beside. */
export interface Matches {
  entries: readonly Entry[];
  more: number;
}

/** Most entries in the list: a window's height of them. Another letter finds the rest sooner than the eye. */
export const LISTED_MAX = 12;

/** Everything that can be chosen now. */
export function entries(view: View): Entry[] {
  const action = (name: string, place: Place): Entry => ({ id: `action ${name}`, kind: "action", name, place });
  const screen = (at: keyof typeof words.nav & Place["at"], place: Place): Entry => ({
    id: `screen ${at}`,
    kind: "screen",
    name: words.nav[at],
    place,
  });
  return [
    action(words.pair.title, { at: "pair", first: "show" }),
    action(words.pair.enterTitle, { at: "pair", first: "enter" }),
    action(words.addFolder.title, { at: "add_folder", peer: null }),
    action(words.checks.check, { at: "check" }),
    screen("home", { at: "home" }),
    screen("folders", { at: "folders" }),
    screen("devices", { at: "devices" }),
    screen("network", { at: "network" }),
    screen("settings", { at: "settings" }),
    ...view.invitations.map(({ peer, folder, label }): Entry => {
      const name = words.accept.title(plain(label));
      return { id: `invitation ${peer} ${folder}`, kind: "invitation", name, place: { at: "accept", peer, folder } };
    }),
    ...view.folders.map(({ id, label }): Entry => {
      return { id: `folder ${id}`, kind: "folder", name: plain(label), place: { at: "folder", folder: id, tab: "files" } };
    }),
    ...view.peers.map(({ id, name }): Entry => {
      return { id: `device ${id}`, kind: "device", name: plain(name), place: { at: "device", peer: id } };
    }),
  ];
}

/** Those whose names hold all that is typed, in any order; all of them when nothing is. */
export function matches(all: readonly Entry[], typed: string): Matches {
  const terms = folded(typed).split(/\s+/u).filter((term) => term !== "");
  const found = all.flatMap((entry) => {
    const name = folded(entry.name);
    const distances = terms.map((term) => distance(name, term));
    if (distances.some((each) => each === null)) return [];
    return [{ entry, far: distances.reduce<number>((sum, each) => sum + (each ?? 0), 0) }];
  });
  // Sorting keeps the order of what is equally near.
  found.sort((one, other) => one.far - other.far);
  return {
    entries: found.slice(0, LISTED_MAX).map(({ entry }) => entry),
    more: Math.max(0, found.length - LISTED_MAX),
  };
}

/** How far a name is from a term; `null` when it does not hold it. */
function distance(name: string, term: string): number | null {
  if (name.startsWith(term)) return 0;
  const beginnings = [...name.matchAll(/(?<![\p{L}\p{N}])[\p{L}\p{N}]/gu)].map(({ index }) => index);
  if (beginnings.some((at) => name.startsWith(term, at))) return 1;
  if (name.includes(term)) return 2;
  return beginnings.some((at) => holdsInOrder(name.slice(at), term)) ? 3 : null;
}

/** Whether a text begins with a term's first letter, and has its others later on. */
function holdsInOrder(text: string, term: string): boolean {
  const letters = [...term];
  if (!text.startsWith(letters[0] ?? "")) return false;
  let from = 0;
  for (const letter of letters) {
    const at = text.indexOf(letter, from);
    if (at < 0) return false;
    from = at + letter.length;
  }
  return true;
}

/** Without case and marks, as people type in haste. */
function folded(text: string): string {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}
