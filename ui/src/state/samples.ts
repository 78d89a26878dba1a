/**
 * What the measurements of a link show over the last minutes: round-trip times, and speeds, each a
 * time with a value. Nothing is measured while nothing moves, so two measurements may lie far apart;
 * what was carried between them is taken as spread evenly. Bytes of a new connection begin at its
 * beginning, which the link's history tells. What came before the first measurement is no longer kept,
 * so it shows no speed.
 */
import type { LinkChangeView } from "../backend/generated/LinkChangeView";
import type { LinkSampleView } from "../backend/generated/LinkSampleView";

/** How far back plots reach: 6 minutes, as much as the engine keeps of a busy link. */
export const REACH_MS = 6 * 60_000;

/** A value that held, or was reached, over a time. */
export interface Reading {
  fromMs: number;
  atMs: number;
  value: number;
  /** Whether it follows the one before; otherwise there was no connection between them. */
  follows: boolean;
}

/** All that is read from a link's measurements. */
export interface Readings {
  /** Milliseconds. */
  rtt: Reading[];
  /** Bytes per second. */
  received: Reading[];
  /** Bytes per second. */
  sent: Reading[];
}

/** The readings of the last minutes before a moment. */
export function readings(
  samples: readonly LinkSampleView[],
  history: readonly LinkChangeView[],
  endMs: number,
): Readings {
  const found: Readings = { rtt: [], received: [], sent: [] };
  const reachMs = endMs - REACH_MS;
  const begins = beginnings(history);
  let before: number | null = null;
  for (const sample of samples) {
    const begun = begins.findLast((ms) => ms <= sample.at_ms) ?? null;
    const follows: boolean = before !== null && (begun === null || begun <= before);
    const from: number | null = follows || before === null ? before : begun;
    before = sample.at_ms;
    if (sample.at_ms <= reachMs) continue;
    const place = { fromMs: Math.max(from ?? sample.at_ms, reachMs), atMs: sample.at_ms };
    found.rtt.push({ ...place, value: sample.rtt_ms, follows: follows && found.rtt.length > 0 });
    if (from === null || from >= sample.at_ms) continue;
    const speed = (bytes: number) => (bytes * 1000) / (sample.at_ms - from);
    for (const [readings, bytes] of [
      [found.received, sample.received_bytes],
      [found.sent, sample.sent_bytes],
    ] as const) {
      readings.push({ ...place, value: speed(bytes), follows: follows && readings.length > 0 });
    }
  }
  return found;
}

/** Readings in four numbers. */
export interface Summary {
  latest: number;
  least: number;
  median: number;
  most: number;
}

/** How much a reading counts for the median: each the same, or each as long as it held. */
export type Weight = "each" | "time";

/** The summary of readings; `null` when there are none. */
export function summary(readings: readonly Reading[], weight: Weight): Summary | null {
  const sorted = readings
    .map(({ fromMs, atMs, value }) => ({ value, weight: weight === "each" ? 1 : atMs - fromMs }))
    .sort((a, b) => a.value - b.value);
  const [least, most, latest] = [sorted[0], sorted.at(-1), readings.at(-1)];
  if (!least || !most || !latest) return null;
  const half = sorted.reduce((sum, each) => sum + each.weight, 0) / 2;
  let passed = 0;
  const middle = sorted.find((each) => (passed += each.weight) >= half) ?? most;
  return { latest: latest.value, least: least.value, median: middle.value, most: most.value };
}

/** When connections began. */
function beginnings(history: readonly LinkChangeView[]): number[] {
  return history
    .filter(({ state }, place) => state === "up" && history[place - 1]?.state !== "up")
    .map(({ at_ms }) => at_ms);
}
