/** The words around the window: the sign in the tray, closing and ending; in Simplified Chinese. */
import type { englishTray } from "./en_tray";

/** The words. */
export function chineseTray(): ReturnType<typeof englishTray> {
  return {
    open: "打开 Towline",
    pause: "暂停所有文件夹",
    resume: "继续所有文件夹",
    quit: "退出 Towline",
    ending: "正在收尾……",
    endingText: "会先完成正在写入的内容，然后窗口自动关闭。",
    title: "关闭窗口时",
    text: "只要 Towline 在运行，无论有没有窗口，文件夹都会保持同步。",
    stay: { name: "留在系统托盘", text: "Towline 继续运行。用托盘中的图标可重新打开窗口。" },
    end: { name: "退出", text: "Towline 会先完成正在写入的内容，然后退出。" },
    none: "这里没有系统托盘，因此关闭窗口会退出 Towline。",
    saved: "已保存",
    asks: {
      what: "您关闭窗口后，Towline 仍在运行。",
      todo: "您可以用托盘中的图标重新打开窗口，或退出 Towline。",
    },
    keep: "保持这样",
    endInstead: "改为退出",
    key: (modifier) => `${modifier}+Q 退出 Towline。`,
  };
}
