/**
 * How fast the window is in Chromium over the fake device, as JSON on standard output, in
 * milliseconds: from a view as text until it is painted, with 1,000 folders; and the longest task of
 * the page's thread while 100,000 entries pass by, from Chromium's own trace. `cargo xtask bench
 * window` tells what is reached.
 */
import { open, page } from "../e2e/browser.mjs";

/** Views that come one after the other. */
const VIEWS = 60;
/** Pixels of one turn of a wheel, and turns: down through all entries of 44 pixels in 15 s. */
const [TURN, TURNS] = [4900, 900];

const window = await open();
try {
  const snapshots = [];
  for (const screen of ["Home", "Folders", "Devices", "Network"]) {
    snapshots.push({ screen, painted: await painted(screen) });
  }
  console.log(JSON.stringify({ snapshots, scrolling: await scrolling() }));
} finally {
  await window.close();
}

/** From views until they are painted, on a screen. */
async function painted(screen) {
  const shown = await page(window, `many&views=${VIEWS}`);
  await shown.page.getByRole("navigation").getByRole("button", { name: screen }).click();
  await shown.page.getByRole("heading", { level: 1, name: screen }).waitFor();
  const durations = await shown.page.evaluate(async (views) => {
    const measured = () => performance.getEntriesByName("painted");
    document.dispatchEvent(new Event("fake:views"));
    while (measured().length < views) await new Promise((next) => setTimeout(next, 100));
    return measured().map(({ duration }) => duration);
  }, VIEWS);
  await shown.close();
  return durations;
}

/** What the page's thread does in one go while a person scrolls through 100,000 entries. */
async function scrolling() {
  const shown = await page(window, "full");
  await shown.page.getByRole("navigation").getByRole("button", { name: "Folders" }).click();
  await shown.page.getByRole("button", { name: /Film project/ }).first().click();
  await shown.page.getByRole("button", { name: /frames/ }).click();
  await shown.page.getByRole("button", { name: /000000\.exr/ }).waitFor();
  await window.browser.startTracing(shown.page, { categories: ["toplevel"] });
  const row = await shown.page.evaluate(async ([turn, turns]) => {
    const main = document.querySelector("main");
    for (let done = 0; done < turns; done += 1) {
      main.scrollBy(0, turn);
      await new Promise((next) => requestAnimationFrame(next));
    }
    return Math.max(...[...document.querySelectorAll("main li[data-row]")].map(({ dataset }) => Number(dataset.row)));
  }, [TURN, TURNS]);
  const trace = JSON.parse((await window.browser.stopTracing()).toString());
  await shown.close();
  return { row, ...tasks(trace.traceEvents) };
}

/** What the threads that run pages did in one go, longest first: as the clock and as the processor counts it. */
function tasks(events) {
  const pages = new Set(
    events.flatMap(({ name, pid, tid, args }) =>
      name === "thread_name" && args.name === "CrRendererMain" ? [`${pid}/${tid}`] : [],
    ),
  );
  const run = events.filter(
    ({ name, pid, tid, dur }) => name === "ThreadControllerImpl::RunTask" && dur !== undefined && pages.has(`${pid}/${tid}`),
  );
  if (run.length === 0) throw new Error("the browser's trace tells nothing of what pages did");
  const longest = (of) => run.map((event) => of(event) / 1000).sort((a, b) => b - a)[0];
  return { tasks: run.length, longest: longest(({ dur }) => dur), busy: longest(({ tdur }) => tdur ?? 0) };
}
