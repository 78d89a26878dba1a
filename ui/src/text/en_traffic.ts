/** The words for limits of speed: of a folder, of the device, of times and networks; in English. */
import type { Numbers } from "./numbers";

/** The words, for the numbers of one locale. */
export function englishTraffic(numbers: Numbers) {
  return {
    now: {
      free: "No limit now",
      limited: "Limited now",
      paused: "Nothing moves now",
      sending: (speed: number) => `sending ${numbers.speed(speed)}`,
      receiving: (speed: number) => `receiving ${numbers.speed(speed)}`,
    },
    because: {
      always: "",
      schedule: "by the schedule",
      metered: "this network costs by volume",
    },
    held: {
      always: "Nothing moves now.",
      schedule: "Nothing moves now: the schedule says so. It goes on by itself.",
      metered: "Nothing moves on this network, because it costs by volume. It goes on by itself on another.",
    },
    send: "Sending, in MB/s",
    receive: "Receiving, in MB/s",
    noLimit: "no limit",
    fault: "A speed like 5 or 0.5; empty is no limit.",
    title: "Speed",
    text: "How fast files may move, over all folders together. Messages between your devices are never slowed down.",
    save: "Save",
    saved: "Saved",
    scheduleTitle: "Schedule",
    scheduleText: "At these times of the week another rule holds. Where times overlap, the first one counts.",
    scheduleNone: "No times are set: the limits above always hold.",
    window: (number: number) => `Time ${numbers.count(number)}`,
    days: "Days",
    from: "From",
    to: "To",
    nextDay: "It ends on the next day.",
    timeFault: "A time like 22:00.",
    daysFault: "Choose at least one day.",
    rule: "What holds then",
    pause: "Nothing moves",
    limit: "Other limits",
    add: "Add a time",
    remove: "Remove",
    removeOf: (number: number) => `Remove time ${numbers.count(number)}`,
    meteredTitle: "Networks that cost by volume",
    meteredText: "A phone's hotspot, for example.",
    network: "Does this network cost by volume?",
    networks: {
      system: { name: "As the system says", text: "Where the system knows, Towline asks it." },
      yes: { name: "Yes", text: "Until you say otherwise." },
      no: { name: "No", text: "Until you say otherwise." },
    },
    meteredRule: "What holds there",
    nothing: { name: "Nothing special", text: "The limits above hold there, too." },
    pauseRule: { name: "Nothing moves", text: "Files wait for another network." },
    limitRule: { name: "Other limits", text: "They hold there in place of those above." },
  };
}
