/**
 * What Arabic sentences are made of: nouns in their six forms, and foreign text that is kept apart,
 * so that it neither turns the sentence's direction nor has its own marks moved.
 */

/** A noun for every kind of number; `#` is where the number stands. */
export type Six = Record<Intl.LDMLPluralRule, string>;

export const FILES: Six = {
  zero: "لا ملفات",
  one: "ملف واحد",
  two: "ملفان",
  few: "# ملفات",
  many: "# ملفًا",
  other: "# ملف",
};

/** As an object, or after a preposition. */
export const FILES_OBJECT: Six = { ...FILES, two: "ملفين" };

export const ENTRIES: Six = {
  zero: "لا عناصر",
  one: "عنصر واحد",
  two: "عنصران",
  few: "# عناصر",
  many: "# عنصرًا",
  other: "# عنصر",
};

/** As an object, or after a preposition. */
export const ENTRIES_OBJECT: Six = { ...ENTRIES, two: "عنصرين" };

export const CONFLICTS: Six = {
  zero: "لا تعارضات",
  one: "تعارض واحد",
  two: "تعارضان",
  few: "# تعارضات",
  many: "# تعارضًا",
  other: "# تعارض",
};

/** As an object, or after a preposition. */
export const CONFLICTS_OBJECT: Six = { ...CONFLICTS, two: "تعارضين" };

export const VERSIONS: Six = {
  zero: "لا إصدارات",
  one: "إصدار واحد",
  two: "إصداران",
  few: "# إصدارات",
  many: "# إصدارًا",
  other: "# إصدار",
};

export const CHANGES: Six = {
  zero: "لا تغييرات",
  one: "تغيير واحد",
  two: "تغييران",
  few: "# تغييرات",
  many: "# تغييرًا",
  other: "# تغيير",
};

export const DEVICES: Six = {
  zero: "لا أجهزة",
  one: "جهاز واحد",
  two: "جهازان",
  few: "# أجهزة",
  many: "# جهازًا",
  other: "# جهاز",
};

/** As an object, or after a preposition. */
export const DEVICES_OBJECT: Six = { ...DEVICES, two: "جهازين" };

export const FOLDERS: Six = {
  zero: "لا مجلدات",
  one: "مجلد واحد",
  two: "مجلدان",
  few: "# مجلدات",
  many: "# مجلدًا",
  other: "# مجلد",
};

/** As an object, or after a preposition. */
export const FOLDERS_OBJECT: Six = { ...FOLDERS, two: "مجلدين" };

/** A name from a person, a peer or a disk, in its own direction. */
export function apart(name: string): string {
  return `\u2068${name}\u2069`;
}

/** An address, a path or an option, which is read from left to right. */
export function ltr(text: string): string {
  return `\u2066${text}\u2069`;
}
