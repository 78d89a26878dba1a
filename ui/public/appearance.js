/**
 * Puts the appearance and the language that a person has chosen on the page before anything is
 * painted, so that no window is light or the wrong way round for a moment; the window's own program
 * comes too late for that. What may be kept is in `src/state/appearance.ts` and `src/text/locale.ts`.
 */
try {
  const theme = localStorage.getItem("appearance");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  const language = localStorage.getItem("language") ?? navigator.language.split("-")[0];
  if (["de", "zh", "ar"].includes(language)) document.documentElement.lang = language;
  if (language === "ar") document.documentElement.dir = "rtl";
} catch {
  // Without a storage the system decides.
}
