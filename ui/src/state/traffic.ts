/** Times of the week and networks with rules of their own, as fields that a person fills in. */
import type { LimitsView } from "../backend/generated/LimitsView";
import type { TrafficRuleView } from "../backend/generated/TrafficRuleView";
import type { WindowView } from "../backend/generated/WindowView";
import { limitFields, limits, type LimitFields } from "./amounts";
import { minuteOfDay, timeOfDay } from "./moment";

/** A rule as fields; limits are kept while another rule is looked at. */
export interface RuleFields {
  rule: "none" | "pause" | "limit";
  limits: LimitFields;
}

/** A time of the week as fields. */
export interface WindowFields {
  id: number;
  days: boolean[];
  from: string;
  to: string;
  rule: RuleFields;
}

/** Days of a week. */
export const DAYS = [0, 1, 2, 3, 4, 5, 6] as const;

/** The fields of a rule, or of none. */
export function ruleFields(rule: TrafficRuleView | null): RuleFields {
  const nothing: LimitsView = { send: null, receive: null };
  if (rule === null) return { rule: "none", limits: limitFields(nothing) };
  return { rule: rule.rule, limits: limitFields(rule.rule === "limit" ? rule : nothing) };
}

/** What a rule's fields mean; `fault` when they mean none. */
export function ruleOf({ rule, limits: typed }: RuleFields): TrafficRuleView | null | "fault" {
  if (rule === "none") return null;
  if (rule === "pause") return { rule: "pause" };
  const set = limits(typed);
  return set === null ? "fault" : { rule: "limit", ...set };
}

/** The fields of a time of the week. */
export function windowFields(window: WindowView, id: number): WindowFields {
  return {
    id,
    days: DAYS.map((day) => (window.days & (1 << day)) !== 0),
    from: timeOfDay(window.from),
    to: timeOfDay(window.to),
    rule: ruleFields(window.rule),
  };
}

/** What somebody begins with who adds a time: working days from nine to five, nothing moves. */
export function newWindow(id: number): WindowFields {
  return windowFields({ days: 0b1_1111, from: 9 * 60, to: 17 * 60, rule: { rule: "pause" } }, id);
}

/** What the fields of a time mean; `null` when they mean none. */
export function windowOf(fields: WindowFields): WindowView | null {
  const [from, to, rule] = [minuteOfDay(fields.from), minuteOfDay(fields.to), ruleOf(fields.rule)];
  const days = DAYS.reduce<number>((bits, day) => bits | (fields.days[day] ? 1 << day : 0), 0);
  if (from === null || to === null || rule === null || rule === "fault" || days === 0) return null;
  return { days, from, to, rule };
}

/** All times, or `null` when one of them means none. */
export function schedule(fields: WindowFields[]): WindowView[] | null {
  const windows = fields.map(windowOf);
  return windows.every((window) => window !== null) ? windows : null;
}
