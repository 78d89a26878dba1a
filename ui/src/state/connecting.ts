/** How long it usually takes to connect with a peer, from the counts that the engine keeps. */
import type { LinkCountsView } from "../backend/generated/LinkCountsView";

/** The time that half of all connections needed at most. */
export type Usual = { kind: "few" } | { kind: "within"; ms: number } | { kind: "longer"; ms: number };

/** Fewer connections than 3 show no habit: the latest time says it all. */
const ENOUGH = 3;

/** The bound that holds the middle of all times. */
export function usual(counts: Pick<LinkCountsView, "connect_within" | "connect_longer">): Usual {
  const { connect_within: within, connect_longer: longer } = counts;
  const all = within.reduce((sum, { count }) => sum + count, longer);
  const last = within.at(-1);
  if (all < ENOUGH || !last) return { kind: "few" };
  let passed = 0;
  const middle = within.find(({ count }) => (passed += count) * 2 >= all);
  return middle ? { kind: "within", ms: middle.bound_ms } : { kind: "longer", ms: last.bound_ms };
}
