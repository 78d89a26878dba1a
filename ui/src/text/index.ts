/**
 * The words and numbers of this window, chosen once by the person's languages. Components take all
 * their text from here.
 */
import { english, type Words } from "./en";
import { locales } from "./locale";
import { Numbers } from "./numbers";

/** Languages there are, by the first part of a locale. */
const LANGUAGES: Record<string, (numbers: Numbers) => Words> = { en: english };

const wished = locales(typeof navigator === "undefined" ? [] : navigator.languages);

/** The locale of words: the first wish that there is, else English. */
export const locale = wished.find((tag) => language(tag) in LANGUAGES) ?? "en";

/** Numbers, in the person's first locale even if their language is not there yet. */
export const numbers = new Numbers(wished[0] ?? locale);

/** All words. */
export const words: Words = (LANGUAGES[language(locale)] ?? english)(numbers);

function language(tag: string): string {
  return tag.split("-")[0]?.toLowerCase() ?? tag;
}
