/** The words around the window: the sign in the tray, closing and ending; in Arabic. */
import { ltr } from "./ar_pieces";
import type { englishTray } from "./en_tray";

/** The words. */
export function arabicTray(): ReturnType<typeof englishTray> {
  return {
    open: "فتح Towline",
    pause: "إيقاف كل المجلدات مؤقتًا",
    resume: "استئناف كل المجلدات",
    quit: "إنهاء Towline",
    ending: "جارٍ الإنهاء…",
    endingText: "يكتمل أولًا ما تجري كتابته، ثم تُغلق النافذة تلقائيًا.",
    title: "عند إغلاق النافذة",
    text: "تتبع المجلدات بعضها بعضًا ما دام Towline يعمل، بنافذة أو من دونها.",
    stay: { name: "البقاء في علبة النظام", text: "يواصل Towline عمله. تفتح أيقونته في علبة النظام النافذة من جديد." },
    end: { name: "الإنهاء", text: "يُكمل Towline ما تجري كتابته، ثم ينتهي." },
    none: "لا علبة نظام هنا، لذا ينتهي Towline بإغلاق نافذته.",
    saved: "تم الحفظ",
    asks: {
      what: "واصل Towline عمله حين أغلقت نافذته.",
      todo: "من أيقونته في علبة النظام تفتح النافذة من جديد، أو تنهي Towline.",
    },
    keep: "إبقاؤه هكذا",
    endInstead: "إنهاؤه بدلًا من ذلك",
    key: (modifier) => `${ltr(`${modifier}+Q`)} ينهي Towline.`,
  };
}
