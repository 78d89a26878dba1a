/**
 * Light, dark, or as the system is: chosen for this window, marked on the page, and kept by the
 * browser. `public/appearance.js` marks the page when the window opens.
 */

/** How the window looks. */
export type Appearance = "system" | "light" | "dark";

/** Under which name it is kept; `public/appearance.js` has the same. */
const KEY = "appearance";

/** What of the page is marked. */
interface Page {
  dataset: Record<string, string | undefined>;
}

/** What the page is marked as. */
export function appearance({ dataset }: Page): Appearance {
  const { theme } = dataset;
  return theme === "light" || theme === "dark" ? theme : "system";
}

/** Marks the page at once, and keeps the choice where there is a storage; else it ends with the window. */
export function choose(wanted: Appearance, page: Page, storage: () => Pick<Storage, "setItem" | "removeItem">): void {
  if (wanted === "system") delete page.dataset["theme"];
  else page.dataset["theme"] = wanted;
  try {
    if (wanted === "system") storage().removeItem(KEY);
    else storage().setItem(KEY, wanted);
  } catch {
    // Browsers may forbid it, or have no room. There is nothing to be done about either here.
  }
}
