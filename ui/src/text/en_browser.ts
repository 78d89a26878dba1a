/** The words of the window in a browser, in English: what opens the device, and what is when it does not answer. */

/** The words of its screens. */
export const englishBrowser = {
  title: "Open this device",
  link: "Run this command on the computer where Towline runs, and open the link that it prints:",
  once: "A link is good once, for five minutes. This tab then stays open until you close it or Towline stops.",
  password: "Password",
  open: "Open",
  orLink: "Or run this on the computer where Towline runs, and open its link:",
  pathHint: "The whole path, on the computer where Towline runs.",
  lost: {
    what: "This device does not answer.",
    todo: "It is tried again by itself. What you see may be old. If Towline was stopped there, start it.",
  },
};

/** What is refused only there. */
export const englishBrowserCodes = {
  unreachable: { what: "This device does not answer.", todo: "Nothing was changed, as far as is known. Try again when it does." },
  session: { what: "This tab may not use the device any more.", todo: "Run “towline web” there, and open its link." },
  token: { what: "This link was used, or is older than five minutes.", todo: "Run “towline web” once more." },
  password: { what: "The password is wrong.", todo: "Try again." },
  too_many: { what: "The password was tried too often.", todo: "Wait a minute, or run “towline web” there and open its link." },
};
