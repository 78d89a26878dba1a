/** Numbers as people of a locale read them. Sizes are decimal, as disks and networks are sold. */

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;

/** A text for each kind of number that a language tells apart; `#` is where the number stands. */
export type Forms = Partial<Record<Intl.LDMLPluralRule, string>> & { other: string };

/** Formats numbers for one locale, and fits words to them. */
export class Numbers {
  readonly #locale: string;
  readonly #rules: Intl.PluralRules;
  readonly #list: Intl.ListFormat;
  readonly #plain: Intl.NumberFormat;
  readonly #two: Intl.NumberFormat;
  readonly #moment: Intl.DateTimeFormat;
  readonly #second: Intl.DateTimeFormat;
  readonly #ago: Intl.RelativeTimeFormat;

  /** Words may be of another locale than numbers, where the person's own language is not there. */
  constructor(locale: string, words = locale) {
    this.#locale = locale;
    this.#rules = new Intl.PluralRules(words);
    this.#list = new Intl.ListFormat(words, { type: "conjunction" });
    this.#plain = new Intl.NumberFormat(locale);
    this.#two = new Intl.NumberFormat(locale, { minimumIntegerDigits: 2 });
    this.#moment = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
    this.#second = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" });
    this.#ago = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  }

  /** `12,400` */
  count(value: number): string {
    return this.#plain.format(value);
  }

  /** `1 file`, `12 files` */
  plural(count: number, forms: Forms): string {
    return (forms[this.#rules.select(count)] ?? forms.other).replace("#", () => this.count(count));
  }

  /** `Photos, Notes and Music` */
  list(items: string[]): string {
    return this.#list.format(items);
  }

  /** `1.4 GB` */
  bytes(value: number): string {
    const [scaled, unit] = scale(value);
    return this.#unit(scaled, unit, unit === "byte" ? 0 : digits(scaled));
  }

  /** `12 MB/s`, `0.4 kB/s`: nobody thinks of bytes in a second. */
  speed(bytesPerSecond: number): string {
    const [scaled, unit] = bytesPerSecond < 1000 ? ([bytesPerSecond / 1000, "kilobyte"] as const) : scale(bytesPerSecond);
    return this.#unit(scaled, `${unit}-per-second`, digits(scaled));
  }

  /** `4 ms`, `0.6 ms` */
  milliseconds(value: number): string {
    return this.#unit(value, "millisecond", value < 10 ? 1 : 0);
  }

  /** `40 sec`, `3 min`, `2 hr`: one unit, never less than a second. */
  duration(ms: number): string {
    const seconds = Math.max(1, Math.round(ms / 1000));
    if (seconds < 60) return this.#unit(seconds, "second", 0);
    if (seconds < 3600) return this.#unit(Math.round(seconds / 60), "minute", 0);
    return this.#unit(seconds / 3600, "hour", seconds < 36_000 ? 1 : 0);
  }

  /** `4:07`, for clocks that count down. */
  clock(ms: number): string {
    const seconds = Math.max(0, Math.ceil(ms / 1000));
    return `${this.count(Math.floor(seconds / 60))}:${this.#two.format(seconds % 60)}`;
  }

  /** `28 Nov 2026, 14:30`, in this computer's time zone. */
  moment(ms: number): string {
    return this.#moment.format(ms);
  }

  /** `28 Nov 2026, 14:30:07`: for what happens within seconds. */
  second(ms: number): string {
    return this.#second.format(ms);
  }

  /** `5 minutes ago`, `yesterday`; beyond a week, and in the future, the moment itself. */
  ago(ms: number, nowMs: number): string {
    const minutes = Math.round((nowMs - ms) / 60_000);
    if (minutes < 0 || minutes >= 7 * 24 * 60) return this.moment(ms);
    if (minutes < 60) return this.#ago.format(-minutes, "minute");
    if (minutes < 24 * 60) return this.#ago.format(-Math.round(minutes / 60), "hour");
    return this.#ago.format(-Math.round(minutes / (24 * 60)), "day");
  }

  /** `Mon`; 0 is Monday. */
  weekday(day: number, style: "short" | "long"): string {
    // The first of January 2024 was a Monday.
    const noon = Date.UTC(2024, 0, 1 + day, 12);
    return new Intl.DateTimeFormat(this.#locale, { weekday: style, timeZone: "UTC" }).format(noon);
  }

  /** `64 %` in the locale's way; never 100 % before all is done. */
  share(value: number): string {
    const bounded = value >= 1 ? 1 : Math.floor(value * 100) / 100;
    return new Intl.NumberFormat(this.#locale, { style: "percent" }).format(bounded);
  }

  #unit(value: number, unit: string, fraction: number): string {
    // "26 byte" is nobody's way to say it. Arabic shortens the kilobyte only when asked for the narrowest.
    const isLongWord = unit.startsWith("kilobyte") && this.#locale.startsWith("ar");
    const unitDisplay = unit === "byte" ? "long" : isLongWord ? "narrow" : "short";
    const style = { style: "unit", unit, unitDisplay, maximumFractionDigits: fraction } as const;
    return new Intl.NumberFormat(this.#locale, style).format(value);
  }
}

function scale(value: number): [number, (typeof UNITS)[number]] {
  let scaled = value;
  for (const unit of UNITS) {
    if (scaled < 1000 || unit === "terabyte") return [scaled, unit];
    scaled /= 1000;
  }
  return [value, "byte"];
}

function digits(value: number): number {
  return value < 10 ? 1 : 0;
}
