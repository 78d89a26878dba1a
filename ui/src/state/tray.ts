/** What the sign in the tray shows and says: the header's sentence, without what changes every second. */
import { assertNever, type Sign, type Told } from "../backend";
import type { View } from "../backend/generated/View";
import { words } from "../text";
import { headlineText } from "../text/states";
import type { Headline } from "./summary";

/** The sign for what is told; `headline` is of the view, where there is one. */
export function sign(told: Told, headline: Headline | null): Sign {
  const said = words.tray;
  const all = told.kind === "view" ? allFolders(told.view) : null;
  return {
    ...state(told, headline),
    title: words.app,
    choices: [
      { wish: "open", text: said.open },
      ...(all ? [{ wish: all, text: said[all] }] : []),
      { wish: "quit", text: said.quit },
    ],
  };
}

/** What can be done with all folders at once, if there are any. */
function allFolders({ folders }: View): "pause" | "resume" | null {
  if (folders.length === 0) return null;
  return folders.every(({ settings }) => settings.paused) ? "resume" : "pause";
}

function state(told: Told, headline: Headline | null): Pick<Sign, "standing" | "state"> {
  switch (told.kind) {
    case "starting":
      return { standing: "working", state: words.start.starting };
    case "failed":
      return { standing: "trouble", state: words.start.failed };
    case "ending":
      return { standing: "working", state: words.tray.ending };
    case "ended":
      return { standing: "trouble", state: words.start.ended };
    // Only browsers are told of these, and they have no tray.
    case "locked":
      return { standing: "idle", state: words.browser.title };
    case "lost":
      return { standing: "trouble", state: words.browser.lost.what };
    case "view": {
      if (headline === null) return { standing: "idle", state: words.app };
      const { standing, text } = headlineText(headline);
      return { standing, state: text };
    }
    default:
      return assertNever(told);
  }
}
