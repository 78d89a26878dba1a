/** Nothing blinks: a server that is tried again stays unreachable until it answers. */
import type { View } from "../backend/generated/View";

/** The view to show after another one. */
export function steady(view: View, before: View | null): View {
  const isRetry = view.server.state.state === "connecting" && before?.server.state.state === "offline";
  return isRetry ? { ...view, server: { ...view.server, state: before.server.state } } : view;
}
