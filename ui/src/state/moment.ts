/**
 * A moment as a person types it, a date and a time of this computer's own time zone. Systems whose
 * fields know no dates leave plain text, which is read as `2026-11-28` and `14:30`.
 */

/** The moment of a date and a time in Unix milliseconds; `null` when they are none. */
export function moment(date: string, time: string): number | null {
  const [, year, month, day] = /^\s*(\d{4})-(\d{1,2})-(\d{1,2})\s*$/.exec(date) ?? [];
  const minutes = minuteOfDay(time);
  if (year === undefined || month === undefined || day === undefined || minutes === null) return null;
  const found = new Date(Number(year), Number(month) - 1, Number(day), 0, minutes);
  // A day that a month does not have would become one of the next month.
  return found.getMonth() === Number(month) - 1 ? found.getTime() : null;
}

/** The fields that mean a moment. */
export function fields(ms: number): { date: string; time: string } {
  const at = new Date(ms);
  const two = (value: number) => String(value).padStart(2, "0");
  return {
    date: `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`,
    time: `${two(at.getHours())}:${two(at.getMinutes())}`,
  };
}

/** `14:30` as a minute of the day; `null` when it is none. */
export function minuteOfDay(time: string): number | null {
  const [, hours, minutes] = /^\s*(\d{1,2}):(\d{2})(?::\d{2})?\s*$/.exec(time) ?? [];
  if (hours === undefined || minutes === undefined) return null;
  const minute = Number(hours) * 60 + Number(minutes);
  return Number(hours) < 24 && Number(minutes) < 60 ? minute : null;
}

/** A minute of the day as `14:30`. */
export function timeOfDay(minute: number): string {
  return `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;
}
