/** The words around the window: the sign in the tray, closing and ending; in English. */

/** The words. */
export function englishTray() {
  return {
    open: "Open Towline",
    pause: "Pause all folders",
    resume: "Resume all folders",
    quit: "Quit Towline",
    ending: "Finishing…",
    endingText: "What is being written is finished first. Then the window closes by itself.",
    title: "When the window is closed",
    text: "Folders follow each other while Towline runs, with or without a window.",
    stay: { name: "Stay in the tray", text: "Towline goes on. Its sign in the tray opens the window again." },
    end: { name: "Quit", text: "Towline finishes what is being written and ends." },
    none: "Nothing shows a tray here, so closing the window ends Towline.",
    saved: "Saved",
    asks: {
      what: "Towline went on when you closed its window.",
      todo: "Its sign in the tray opens the window again, and ends Towline.",
    },
    keep: "Keep it so",
    endInstead: "Quit instead",
    key: (modifier: string) => `${modifier}+Q ends Towline.`,
  };
}
