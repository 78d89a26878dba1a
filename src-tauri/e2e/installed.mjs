/** The window of an app as people install it; run by `cargo xtask dist --try`. */
import { test } from "node:test";

import { openApp } from "./driver.mjs";

/** Opens the installed app, with no server, as somebody who starts it for the first time. */
async function opened(name, args, look) {
  const window = await openApp(name, { TOWLINE_SERVER: "" }, args);
  try {
    await window.size(960, 640);
    await look(window);
    await window.picture(`dist-${name}`);
  } finally {
    await window.close();
  }
}

test("the installed app opens its window", async () => {
  await opened("installed", [], (window) => window.see("A direct line between your computers"));
});

test("the installed app opens at a link that was clicked", async () => {
  const link = "towline://pair?v=1&s=wss%3A%2F%2Fmeet.example%2Fws&c=ABC&k=AQEBAQEBAQEBAQEBAQEBAQ";
  await opened("link", [link], (window) => window.see("It meets the other device at meet.example."));
});
