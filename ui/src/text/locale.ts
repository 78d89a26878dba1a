/**
 * The languages that there are words in, and which of them a person gets: the one that is chosen in
 * the settings, else the first that the system wishes for. The choice is kept by the browser;
 * `public/appearance.js` marks the page with it when the window opens.
 */

/** Languages that the window has, each by its own name. */
export const LANGUAGES = { en: "English", de: "Deutsch", zh: "简体中文", ar: "العربية" } as const;

/** A language, by the first part of its locales. */
export type Language = keyof typeof LANGUAGES;

/** What a person can choose: a language, or what the system says. */
export type Choice = Language | "system";

/** Under which name the choice is kept; `public/appearance.js` has the same. */
const KEY = "language";

/** What is spoken, and how numbers are written. */
export interface Locale {
  language: Language;
  /** Of words: the wish that led to the language, with its region. */
  words: string;
  /** Of numbers: the person's own, even where the language is not there. */
  numbers: string;
}

/** The locale for a choice and the system's wishes, which come in their order. */
export function localeFor(choice: Choice, wishes: readonly string[]): Locale {
  const known = locales(wishes);
  if (choice !== "system") {
    const words = known.find((tag) => languageOf(tag) === choice) ?? choice;
    return { language: choice, words, numbers: words };
  }
  for (const tag of known) {
    const language = languageOf(tag);
    if (language !== undefined) return { language, words: tag, numbers: tag };
  }
  return { language: "en", words: "en", numbers: known[0] ?? "en" };
}

/** The wishes that are locales. A system without any says `C`, which is none; then it is English. */
export function locales(wishes: readonly string[]): string[] {
  const known = wishes.filter(isLocale);
  return known.length > 0 ? known : ["en"];
}

/** Where a language begins its lines. */
export function direction(language: Language): "ltr" | "rtl" {
  return language === "ar" ? "rtl" : "ltr";
}

/** What a language's words are marked as on the page. */
export function tag(language: Language): string {
  return language === "zh" ? "zh-Hans" : language;
}

/** The choice that is kept; the system's where there is none, or no storage. */
export function chosen(storage: () => Pick<Storage, "getItem">): Choice {
  try {
    const kept = storage().getItem(KEY) ?? "";
    return isLanguage(kept) ? kept : "system";
  } catch {
    return "system";
  }
}

/** Keeps the choice for the next time that the page opens; whether that was possible. */
export function keep(wanted: Choice, storage: () => Pick<Storage, "setItem" | "removeItem">): boolean {
  try {
    if (wanted === "system") storage().removeItem(KEY);
    else storage().setItem(KEY, wanted);
    return true;
  } catch {
    return false;
  }
}

function languageOf(tag: string): Language | undefined {
  const first = new Intl.Locale(tag).language;
  return isLanguage(first) ? first : undefined;
}

function isLanguage(text: string): text is Language {
  return Object.hasOwn(LANGUAGES, text);
}

function isLocale(tag: string): boolean {
  try {
    return Intl.getCanonicalLocales(tag).length > 0;
  } catch {
    return false;
  }
}
