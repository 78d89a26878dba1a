/** Amounts as people type them: whole numbers and speeds, with a comma or a point. */
import type { LimitsView } from "../backend/generated/LimitsView";

/** What a field with an amount holds. */
export type Amount = { kind: "amount"; value: number } | { kind: "nothing" } | { kind: "fault" };

/** Bytes in the unit that speeds are typed in: MB/s, as everywhere in the window. */
const MEGA = 1_000_000;

/** Bytes in the unit that room on a disk is typed in: GiB, as the engine's own bound is one. */
const GIBI = 1024 ** 3;

/** A whole number within bounds. */
export function whole(typed: string, min: number, max: number): Amount {
  const text = latin(typed);
  if (text.trim() === "") return { kind: "nothing" };
  const value = /^\s*\d{1,15}\s*$/.test(text) ? Number(text) : NaN;
  return value >= min && value <= max ? { kind: "amount", value } : { kind: "fault" };
}

/** A speed typed in MB/s, in bytes per second; nothing is without limit. */
export function speed(text: string): Amount {
  return scaled(text, MEGA);
}

/** A size typed in GiB, in bytes; `shown` when the field still shows it, which may be rounded. */
export function size(text: string, shown: number): Amount {
  return text === sizeField(shown) ? { kind: "amount", value: shown } : scaled(text, GIBI);
}

/** What a field shows for a speed. */
export function speedField(bytes: number | null): string {
  return bytes === null ? "" : String(bytes / MEGA);
}

/** What a field shows for a size. */
export function sizeField(bytes: number): string {
  return String(Math.round((bytes / GIBI) * 100) / 100);
}

/** Limits as two fields. */
export interface LimitFields {
  send: string;
  receive: string;
}

/** What fields show for limits. */
export function limitFields(limits: LimitsView): LimitFields {
  return { send: speedField(limits.send), receive: speedField(limits.receive) };
}

/** The limits that fields mean; `null` when one of them means none. */
export function limits(fields: LimitFields): LimitsView | null {
  const [send, receive] = [speed(fields.send), speed(fields.receive)];
  if (send.kind === "fault" || receive.kind === "fault") return null;
  return {
    send: send.kind === "amount" ? send.value : null,
    receive: receive.kind === "amount" ? receive.value : null,
  };
}

function scaled(typed: string, unit: number): Amount {
  const text = latin(typed);
  if (text.trim() === "") return { kind: "nothing" };
  const value = /^\s*\d{1,6}([.,]\d{1,6})?\s*$/.test(text) ? Number(text.replace(",", ".")) : NaN;
  const bytes = Math.round(value * unit);
  return bytes > 0 ? { kind: "amount", value: bytes } : { kind: "fault" };
}

/** Digits of an Arabic or Persian keyboard as those of a Latin one, and their decimal mark as a point. */
function latin(text: string): string {
  return text
    .replace(/[\u0660-\u0669\u06f0-\u06f9]/g, (digit) => String(digit.charCodeAt(0) & 0xf))
    .replace("\u066b", ".");
}
