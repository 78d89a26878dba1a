import { describe, expect, test } from "vitest";

import { arabic } from "./ar";
import { german } from "./de";
import { english } from "./en";
import { chosen, direction, keep, localeFor } from "./locale";
import { Numbers } from "./numbers";
import { chinese } from "./zh";

const EN = english(new Numbers("en"));

const OTHERS = {
  de: { words: german(new Numbers("de")), letters: /\p{Script=Latin}/u },
  zh: { words: chinese(new Numbers("zh")), letters: /\p{Script=Han}/u },
  ar: { words: arabic(new Numbers("ar")), letters: /\p{Script=Arabic}/u },
};

/** What is the same in every language: names, examples, signs, numbers and what is not there. */
const SAME = [
  /^app$/, /^comma$/, /^gap$/, /^keys$/, /\.(placeExample|example)$/, /^path\.placeholder$/, /^headline\.speed$/,
  /^tabs\.count$/, /^link\.rtt$/, /^network\.plots\.(milliseconds|perSecond)$/, /^network\.history\.moment$/,
  /^network\.counts\.times$/,
];

/** Words that German shares with English, or took from it. */
const SHARED = ["Alarm", "Internet", "Median", "Problem", "Router", "1 Version"];

/** Arguments that words are asked with, until some fit: counts, names, lists, what a brake holds. */
const COUNTS = [0, 1, 2, 3, 11, 100];
const BRAKED = { deletes: 3, overwrites: 1, revives: 2 };
const ARGUMENTS: unknown[][] = [
  ...COUNTS.map((count) => [count, count, count]),
  ["Anna", "Anna", "Anna"],
  [["Anna", "Ben"]],
  [BRAKED],
  ["Anna", BRAKED],
];

/** Every text below a value with its path; functions give one for each of the arguments that fit. */
function texts(value: unknown, path: string): [string, string][] {
  if (typeof value === "string") return [[path, value]];
  if (isFunction(value)) return answers(value).flatMap(([asked, text]) => texts(text, `${path}(${asked})`));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, below]) => texts(below, path === "" ? key : `${path}.${key}`));
}

function isFunction(value: unknown): value is (...given: unknown[]) => unknown {
  return typeof value === "function";
}

function answers(words: (...given: unknown[]) => unknown): [string, unknown][] {
  const found: [string, unknown][] = [];
  for (const given of ARGUMENTS) {
    try {
      const answer = words(...given);
      if (!/NaN|undefined|\[object/.test(JSON.stringify(answer))) found.push([JSON.stringify(given), answer]);
    } catch {
      // These arguments are of another kind.
    }
  }
  return found;
}

/** The name of a word without what it was asked with. */
const wordOf = (path: string) => path.replace(/\(.*?\)(?=\.|$)/, "");
const isSame = (path: string) => SAME.some((pattern) => pattern.test(wordOf(path)));

const ENGLISH = new Map(texts(EN, ""));

test.each(Object.entries(OTHERS))("%s has every word, and none that nobody asks for", (_, { words }) => {
  const names = (all: [string, string][]) => [...new Set(all.map(([path]) => wordOf(path)))].sort();
  expect(names(texts(words, ""))).toEqual(names([...ENGLISH]));
});

test.each(Object.entries(OTHERS))("%s has left no word in English", (language, { words, letters }) => {
  const left = texts(words, "").filter(([path, text]) => {
    if (!/\p{L}/u.test(text) || isSame(path) || (language === "de" && SHARED.includes(text))) return false;
    return text === ENGLISH.get(path) || !letters.test(text) || /\b(the|is|of|to|and|this|it)\b/i.test(text);
  });
  expect(left).toEqual([]);
});

test.each(Object.entries(OTHERS))("%s leaves empty what is empty, and nothing else", (_, { words }) => {
  const empty = (all: [string, string][]) => new Set(all.filter(([, text]) => text === "").map(([path]) => wordOf(path)));
  expect([...empty(texts(words, ""))].filter((path) => path !== "gap")).toEqual([...empty([...ENGLISH])]);
});

test("every word answers to some arguments", () => {
  const silent = (value: unknown, path: string): string[] => {
    if (isFunction(value)) return answers(value).length > 0 ? [] : [path];
    if (typeof value !== "object" || value === null) return [];
    return Object.entries(value).flatMap(([key, below]) => silent(below, `${path}.${key}`));
  };
  for (const { words } of Object.values(OTHERS)) expect(silent(words, "")).toEqual([]);
});

describe("marks are the language's own", () => {
  const wrong = (language: keyof typeof OTHERS, pattern: RegExp) =>
    texts(OTHERS[language].words, "").filter(([, text]) => pattern.test(text));

  test("in German", () => {
    expect(wrong("de", /["”]|\.\.\.|\p{L}…/u)).toEqual([]);
    expect(wrong("de", /„[^“]*$|^[^„]*“/)).toEqual([]);
  });

  test("in Chinese", () => {
    expect(wrong("zh", /\p{Script=Han}[,.:;?!]|[,;?!]\p{Script=Han}|\.\.\./u)).toEqual([]);
  });

  test("in Arabic", () => {
    expect(wrong("ar", /\p{Script=Arabic}[,;?]|\.\.\./u)).toEqual([]);
  });

  test("and what is foreign in Arabic is kept apart in pairs", () => {
    const open = (text: string) => [...text].filter((letter) => /[\u2066\u2068]/.test(letter)).length;
    const closed = (text: string) => [...text].filter((letter) => letter === "\u2069").length;
    expect(texts(OTHERS.ar.words, "").filter(([, text]) => open(text) !== closed(text))).toEqual([]);
    expect(wrong("ar", /(?<![\u2066\w.-][^\u2069]*)--\w/)).toEqual([]);
  });
});

test("counts take each language's forms", () => {
  const conflicts = (words: typeof EN) => COUNTS.map(words.folderState.conflicts);
  expect(conflicts(EN)).toEqual(["0 conflicts", "1 conflict", "2 conflicts", "3 conflicts", "11 conflicts", "100 conflicts"]);
  expect(conflicts(OTHERS.de.words)).toEqual(["0 Konflikte", "1 Konflikt", "2 Konflikte", "3 Konflikte", "11 Konflikte", "100 Konflikte"]);
  expect(conflicts(OTHERS.zh.words)).toEqual(["0 个冲突", "1 个冲突", "2 个冲突", "3 个冲突", "11 个冲突", "100 个冲突"]);
  expect(conflicts(OTHERS.ar.words)).toEqual(["لا تعارضات", "تعارض واحد", "تعارضان", "3 تعارضات", "11 تعارضًا", "100 تعارض"]);
});

test("numbers are written as the region does, also where its language is not there", () => {
  expect(new Numbers("ar-EG").clock(65_000)).toBe("١:٠٥");
  expect([new Numbers("ar").speed(5000), new Numbers("ar").bytes(5_000_000)]).toEqual(["5 ك.ب/ث", "5 م.ب"]);
  expect(english(new Numbers("fr", "en")).folderState.conflicts(0)).toBe("0 conflicts");
  expect(new Numbers("zh-CN").list(["A", "B", "C"])).toBe("A、B和C");
});

describe("the locale", () => {
  test("is the first wish that there are words for", () => {
    expect(localeFor("system", ["fr-CA", "de-AT", "en"])).toEqual({ language: "de", words: "de-AT", numbers: "de-AT" });
    expect(localeFor("system", ["zh-Hans-CN"]).language).toBe("zh");
    expect(localeFor("system", ["fr-CA", "C"])).toEqual({ language: "en", words: "en", numbers: "fr-CA" });
  });

  test("is the chosen one, in the region that is wished for", () => {
    expect(localeFor("ar", ["de", "ar-EG"])).toEqual({ language: "ar", words: "ar-EG", numbers: "ar-EG" });
    expect(localeFor("zh", ["de"])).toEqual({ language: "zh", words: "zh", numbers: "zh" });
    expect([direction("ar"), direction("zh")]).toEqual(["rtl", "ltr"]);
  });

  test("is kept until the system decides again", () => {
    const kept = new Map<string, string>();
    const storage = () => ({
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => void kept.set(key, value),
      removeItem: (key: string) => void kept.delete(key),
    });
    expect([keep("ar", storage), chosen(storage)]).toEqual([true, "ar"]);
    expect([keep("system", storage), chosen(storage), kept.size]).toEqual([true, "system", 0]);
    kept.set("language", "tlh");
    expect(chosen(storage)).toBe("system");
  });

  test("is the system's without a storage", () => {
    const none = () => {
      throw new Error("forbidden");
    };
    expect([keep("de", none), chosen(none)]).toEqual([false, "system"]);
  });
});
