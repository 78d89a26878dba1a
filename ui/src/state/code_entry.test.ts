import { describe, expect, test } from "vitest";

import { boxes, complete, EMPTY, typed } from "./code_entry";

const sent = (text: string) => complete(typed(text));

describe("a code", () => {
  test.each(["K7M-2QX", "k7m-2qx", "k7m2qx", " K7M 2QX\n", "k7m–2qx", "K7M‑2QX", "ｋ７ｍ２ｑｘ"])(
    "typed as %j is K7M-2QX",
    (text) => expect(sent(text)).toBe("K7M-2QX"),
  );

  test("is not complete before its last letter", () => {
    expect(complete(EMPTY)).toBeNull();
    expect(sent("K7M-2Q")).toBeNull();
  });

  test.each(["I", "O", "0", "1", "ß", "é", "!"])("never holds %s", (letter) => {
    expect(typed(`K7${letter}`)).toEqual({
      kind: "letters",
      letters: "K7",
      hyphenAt: null,
      fault: { kind: "letter", letter },
    });
  });

  test("grows to eight letters and no more", () => {
    expect(boxes(typed("K7M2QX"))).toEqual([3, 3]);
    expect(boxes(typed("K7M2QXA"))).toEqual([4, 4]);
    expect(sent("K7M2QXAB")).toBe("K7M2-QXAB");
    expect(typed("K7M2QXABC")).toMatchObject({ letters: "K7M2QXAB", fault: { kind: "too_long" } });
  });

  test("keeps a hyphen that tells unequal halves apart", () => {
    expect(sent("K7M-2QXA")).toBe("K7M-2QXA");
    expect(sent("K7M2-QXA")).toBe("K7M2-QXA");
    expect(sent("K7M2QXA")).toBeNull();
  });
});

describe("what names another server", () => {
  test("is a code with a host", () => {
    expect(typed("k7m-2qx@Example.org")).toEqual({
      kind: "elsewhere",
      text: "k7m-2qx@Example.org",
      host: "example.org",
    });
  });

  test("is a link, shown by its server", () => {
    const link = "towline://pair?v=1&s=wss%3A%2F%2Fsignal.example.org%2Fws&c=K7M&k=abc";
    expect(typed(link)).toEqual({ kind: "elsewhere", text: link, host: "signal.example.org" });
  });

  test("is a link for the local network, which names none", () => {
    const link = "towline://pair?v=1&c=K7M&k=abc";
    expect(typed(link)).toEqual({ kind: "nearby", text: link });
  });

  test("is a link with a server that is none too, without a crash", () => {
    const link = "towline://pair?v=1&s=%E0%A4%A&c=K7M&k=abc";
    expect(typed(link)).toMatchObject({ kind: "elsewhere" });
  });

  test.each([
    ["wss%3A%2F%2Fsignal.example.org%40evil.example%2Fws", "evil.example"],
    ["wss%3A%2F%2Fevil.example%3A8443%2Fws%3Fhost%3Dsignal.example.org", "evil.example:8443"],
    ["ws://evil.example/ws", "evil.example"],
  ])("is a link whose server %s is shown as %s", (server, host) => {
    expect(typed(`towline://pair?v=1&c=K7M&k=abc&s=${server}`)).toMatchObject({ host });
    expect(typed(`towline://pair?v=1&c=K7M&k=abc&%73=${server}`)).toMatchObject({ host });
  });

  test.each([
    "towline:",
    "towline://nonsense",
    "TOWLINE://pair",
    "towline://pair?s=%E0%A4%A",
    "towline://pair?v=1&s=wss%3A%2F%2Fsignal.example.org%2Fws",
    "towline://join?v=1&c=K7M&k=abc",
    "towline://pair?v=1&c=K7M&k=abc&s=wss://a.example&s=wss://b.example",
    `towline://pair?v=1&c=K7M&k=abc&x=${"x".repeat(1000)}`,
  ])("is not the link %s, which cannot be used", (link) => {
    expect(typed(link)).toMatchObject({ letters: "", fault: { kind: "link" } });
    expect(sent(link)).toBeNull();
  });
});
