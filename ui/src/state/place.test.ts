import { describe, expect, test } from "vitest";

import type { Choice } from "../backend";
import { words } from "../text";
import { Place } from "./place.svelte";

/** A shell whose dialogs are answered by the test, with what they began at. */
function dialogs() {
  const asked: { shown: string; answer: (choice: Choice) => void }[] = [];
  const backend = {
    pickDirectory: (_title: string, shown: string) =>
      new Promise<Choice>((answer) => asked.push({ shown, answer })),
  };
  return { asked, backend };
}

async function chosen(place: Place, choice: Choice): Promise<void> {
  const { asked, backend } = dialogs();
  const done = place.choose(backend, "Which folder?");
  asked[0]?.answer(choice);
  await done;
}

describe("the place of a folder", () => {
  test("is what was chosen, and a fault of before is gone", async () => {
    const place = new Place();
    place.path = "Pictures";
    expect(place.whole()).toBeNull();
    expect(place.fault).toBe(words.path.mustBeFull);
    await chosen(place, { kind: "chosen", path: "/home/ada/Pictures" });
    expect(place.fault).toBeUndefined();
    expect(place.whole()).toBe("/home/ada/Pictures");
  });

  test("keeps what was typed when nothing is chosen", async () => {
    const place = new Place();
    place.path = "/home/ada";
    await chosen(place, { kind: "nothing" });
    expect(place.whole()).toBe("/home/ada");
  });

  test("says why a choice cannot be used, and keeps what was typed", async () => {
    const place = new Place();
    place.path = "/home/ada";
    await chosen(place, { kind: "refused", error: { code: "path_not_text", detail: null } });
    expect(place.path).toBe("/home/ada");
    expect(place.fault).toContain("Rename it");
  });

  test("is what was dropped, or the reason why that is none", () => {
    const place = new Place();
    place.take({ kind: "chosen", path: "/home/ada/Pictures" });
    expect(place.whole()).toBe("/home/ada/Pictures");
    place.take({ kind: "refused", error: { code: "dropped_file", detail: null } });
    expect([place.path, place.fault]).toEqual([
      "/home/ada/Pictures",
      "This is a file, and only folders are kept in sync. Drop the folder that it lies in.",
    ]);
  });

  test("has blanks at its end only when it was chosen so", async () => {
    const place = new Place();
    place.path = " /home/ada ";
    expect(place.whole()).toBe("/home/ada");
    await chosen(place, { kind: "chosen", path: "/home/ada/odd " });
    expect(place.whole()).toBe("/home/ada/odd ");
  });

  test("opens one dialog at a time, beginning at what is there", async () => {
    const place = new Place();
    place.path = " /home/ada ";
    const { asked, backend } = dialogs();
    const first = place.choose(backend, "Which folder?");
    await place.choose(backend, "Which folder?");
    expect(asked.map(({ shown }) => shown)).toEqual(["/home/ada"]);
    asked[0]?.answer({ kind: "nothing" });
    await first;
    void place.choose(backend, "Which folder?");
    expect(asked).toHaveLength(2);
  });
});
