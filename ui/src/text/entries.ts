/** States and kinds of entries in words; an engine of another version may know more of them. */
import type { View } from "../backend/generated/View";
import { words } from "./index";
import type { Standing } from "./states";

/** How an entry stands, as a shape and a word. */
export function entryText(state: string): { standing: Standing; text: string } {
  const said = words.files.states;
  switch (state) {
    case "here":
      return { standing: "good", text: said.here };
    case "coming":
      return { standing: "working", text: said.coming };
    case "missing":
      return { standing: "wait", text: said.missing };
    case "local":
      return { standing: "idle", text: said.local };
    default:
      return { standing: "idle", text: said.other };
  }
}

/** What the state of an entry means. */
export function entryAbout(state: string): string {
  const said: Record<string, string> = words.files.about;
  return Object.hasOwn(said, state) ? (said[state] ?? words.files.about.other) : words.files.about.other;
}

/** What kind of entry it is. */
export function entryKind(kind: string): string {
  const said: Record<string, string> = words.files.kind;
  return Object.hasOwn(said, kind) ? (said[kind] ?? words.files.kind.other) : words.files.kind.other;
}

/** Characters of the id of a device that nobody knows by a name: 8, as everywhere. */
const ID_SHOWN = 8;

/** Who wrote something: this device, a peer by its name, or somebody who is not known here. */
export function authorText(device: string, view: View | null, peerName: string | undefined): string {
  if (device === view?.device.id) return words.conflicts.thisDevice;
  if (peerName !== undefined) return peerName;
  return device === "" ? words.unknownDevice : words.conflicts.stranger(device.slice(0, ID_SHOWN));
}
