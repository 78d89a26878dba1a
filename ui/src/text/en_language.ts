/** The words of the choice of a language, in English. */

/** The words. */
export function englishLanguage() {
  return {
    title: "Language",
    text: "Of this window, on this computer.",
    system: { name: "System", text: "The first of your system's languages that Towline knows." },
  };
}
