/**
 * The words and numbers of this window, chosen once by the person or the system. Components take all
 * their text from here. Who imports this waits for the words, so nothing is ever shown in another
 * language first. The files of a language therefore import nothing that is loaded with the window
 * but types: they would wait for what waits for them.
 */
import { english, type Words } from "./en";
import { chosen, localeFor, type Language } from "./locale";
import { Numbers } from "./numbers";

/** Where the words of a language are; all but English are loaded when they are needed. */
const WORDS: Record<Language, () => Promise<(numbers: Numbers) => Words>> = {
  en: () => Promise.resolve(english),
  de: async () => (await import("./de")).german,
  zh: async () => (await import("./zh")).chinese,
  ar: async () => (await import("./ar")).arabic,
};

/** What is spoken here. */
export const locale = localeFor(
  chosen(() => localStorage),
  typeof navigator === "undefined" ? [] : navigator.languages,
);

/** Numbers, in the person's way. */
export const numbers = new Numbers(locale.numbers, locale.words);

/** All words. */
export const words: Words = (await WORDS[locale.language]())(numbers);

/** Sentences, one after the other; empty ones are none. */
export function sentences(...each: string[]): string {
  return each.filter((text) => text !== "").join(words.gap);
}

/** Facts in one line; empty ones are none. */
export function facts(...each: string[]): string {
  return each.filter((text) => text !== "").join(words.comma);
}
