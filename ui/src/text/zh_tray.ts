/** The words around the window: the sign in the tray, closing and ending; in Simplified Chinese. */
import type { englishTray } from "./en_tray";

/** The words. */
export function chineseTray(): ReturnType<typeof englishTray> {
  return {
    open: "打开 Towline",
    pause: "暂停所有文件夹",
    resume: "继续所有文件夹",
    quit: "退出 Towline",
    ending: "正在收尾…",
    endingText: "正在写入的内容会先写完，然后窗口自行关闭。",
    title: "关闭窗口时",
    text: "只要 Towline 在运行，无论有没有窗口，文件夹都会保持同步。",
    stay: { name: "留在托盘中", text: "Towline 继续运行。点托盘中的图标可再次打开窗口。" },
    end: { name: "退出", text: "Towline 写完正在写入的内容后退出。" },
    none: "这里没有显示托盘，因此关闭窗口会退出 Towline。",
    saved: "已保存",
    asks: {
      what: "您关闭窗口后，Towline 仍在运行。",
      todo: "点托盘中的图标可再次打开窗口，也可以退出 Towline。",
    },
    keep: "保持这样",
    endInstead: "改为退出",
    key: (modifier) => `${modifier}+Q 退出 Towline。`,
  };
}
