/** Where updates stand, in words. */
import { assertNever } from "../backend";
import type { UpdatesTold, UpdateState } from "../backend/updates";
import type { Advice } from "./en";
import { words } from "./index";
import { plain, plainLine } from "./names";
import type { StateText } from "./states";

/** How they stand, in a line; `null` where sentences say it. */
export function updateText({ state, answered_ms }: UpdatesTold): StateText | null {
  const said = words.updates.state;
  switch (state.state) {
    case "off":
    case "failed":
      return null;
    case "idle": {
      const detail = answered_ms === null ? words.updates.never : words.updates.answered(answered_ms);
      return { standing: answered_ms === null ? "idle" : "good", text: said.idle, detail };
    }
    case "checking":
      return { standing: "working", text: said.checking, detail: "" };
    case "available":
      return { standing: "wait", text: said.available(plain(state.found.version)), detail: "" };
    case "downloading":
      return { standing: "working", text: said.downloading(plain(state.found.version)), detail: "" };
    case "ready":
      return { standing: "good", text: said.ready(plain(state.found.version)), detail: "" };
    case "installing":
      return { standing: "working", text: said.installing(plain(state.found.version)), detail: "" };
    default:
      return assertNever(state);
  }
}

/** What a code means; an honest general sentence for one of a newer shell. */
export function updateFault(code: string): Advice {
  const known: Record<string, Advice> = words.updates.codes;
  return Object.hasOwn(known, code) ? (known[code] ?? words.unknownCode(code)) : words.unknownCode(plain(code));
}

/** What a window says of an update wherever a person is. */
export function updateNotice(state: UpdateState): Advice | null {
  const said = words.updates.notice;
  if (state.state === "available") return said.available(plain(state.found.version));
  return state.state === "ready" ? said.ready(plain(state.found.version)) : null;
}

/** Notes as lines of text; whatever stands in them acts nowhere. */
export function noteLines(notes: string): string[] {
  return notes.split(/\r?\n/).map(plainLine);
}
