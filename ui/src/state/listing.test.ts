import { expect, test } from "vitest";

import { crumbs, nameOf, parent } from "./listing";

test("the way to a directory begins at the folder", () => {
  expect(crumbs("Film", null)).toEqual([{ path: null, name: "Film" }]);
  expect(crumbs("Film", "a/b").map(({ path }) => path)).toEqual([null, "a", "a/b"]);
  expect([parent("a/b/c"), parent("a"), nameOf("a/b"), nameOf("a")]).toEqual(["a/b", null, "b", "a"]);
});
