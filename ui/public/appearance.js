/**
 * Puts the appearance that a person has chosen on the page before anything is painted, so that no
 * window is light for a moment; the window's own program comes too late for that. What may be kept
 * is in `src/state/appearance.ts`.
 */
try {
  const kept = localStorage.getItem("appearance");
  if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
} catch {
  // Without a storage the system decides.
}
