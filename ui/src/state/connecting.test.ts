import { expect, test } from "vitest";

import { usual } from "./connecting";

const times = (...counts: number[]) => counts.map((count, place) => ({ bound_ms: 100 * 10 ** place, count }));

test("the usual time is the bound that holds the middle of all", () => {
  expect(usual({ connect_within: times(1, 5, 2), connect_longer: 1 })).toEqual({ kind: "within", ms: 1000 });
  expect(usual({ connect_within: times(2, 0, 2), connect_longer: 0 })).toEqual({ kind: "within", ms: 100 });
});

test("a time beyond all bounds is longer than the last one", () => {
  expect(usual({ connect_within: times(1, 0, 0), connect_longer: 5 })).toEqual({ kind: "longer", ms: 10_000 });
});

test("a few times show nothing", () => {
  expect(usual({ connect_within: times(1, 1), connect_longer: 0 })).toEqual({ kind: "few" });
  expect(usual({ connect_within: [], connect_longer: 9 })).toEqual({ kind: "few" });
});
