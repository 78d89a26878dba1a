/** The words around the window: the sign in the tray, closing and ending; in Arabic. */
import { ltr } from "./ar_pieces";
import type { englishTray } from "./en_tray";

/** The words. */
export function arabicTray(): ReturnType<typeof englishTray> {
  return {
    open: "افتح Towline",
    pause: "أوقف كل المجلدات مؤقتًا",
    resume: "استأنف كل المجلدات",
    quit: "أنهِ Towline",
    ending: "جارٍ الإنهاء…",
    endingText: "تُستكمل أولًا كتابة ما يُكتب الآن، ثم تُغلق النافذة من تلقاء نفسها.",
    title: "عند إغلاق النافذة",
    text: "تبقى المجلدات متزامنة ما دام Towline يعمل، بنافذة أو بدونها.",
    stay: { name: "البقاء في شريط النظام", text: "يواصل Towline عمله. أيقونته في شريط النظام تفتح النافذة من جديد." },
    end: { name: "الإنهاء", text: "يكمل Towline كتابة ما يُكتب الآن ثم ينتهي." },
    none: "لا يوجد هنا شريط يعرض الأيقونة، لذلك ينهي إغلاق النافذة Towline.",
    saved: "حُفظ",
    asks: {
      what: "واصل Towline عمله بعد أن أغلقت نافذته.",
      todo: "أيقونته في شريط النظام تفتح النافذة من جديد، وتنهي Towline.",
    },
    keep: "أبقه هكذا",
    endInstead: "الإنهاء بدلًا من ذلك",
    key: (modifier) => `${ltr(`${modifier}+Q`)} ينهي Towline.`,
  };
}
