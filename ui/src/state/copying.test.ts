import { expect, test, vi } from "vitest";

import { Copying } from "./copying.svelte";

test("a copy is said, and one that fails is told until one succeeds", async () => {
  const said: string[] = [];
  const write = vi.fn<(text: string) => Promise<void>>().mockRejectedValueOnce(new Error("refused"));
  const copying = new Copying({ say: (text) => said.push(text) }, write);
  await copying.copy("K7M-2QX", "Code copied");
  expect([copying.hasFailed, said]).toEqual([true, []]);
  write.mockResolvedValueOnce();
  await copying.copy("K7M-2QX", "Code copied");
  expect([copying.hasFailed, said]).toEqual([false, ["Code copied"]]);
  expect(write).toHaveBeenLastCalledWith("K7M-2QX");
});

test("where there is no clipboard at all, that is a failed copy", async () => {
  const copying = new Copying({ say: () => undefined });
  await copying.copy("K7M-2QX", "Code copied");
  expect(copying.hasFailed).toBe(true);
});
