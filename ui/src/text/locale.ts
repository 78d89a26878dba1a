/** The locales that a person wishes for. A system without any says `C`, which is none. */

/** The wishes that are locales, in their order; English when there are none. */
export function locales(wishes: readonly string[]): string[] {
  const known = wishes.filter(isLocale);
  return known.length > 0 ? known : ["en"];
}

function isLocale(tag: string): boolean {
  try {
    return Intl.getCanonicalLocales(tag).length > 0;
  } catch {
    return false;
  }
}
