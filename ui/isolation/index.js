// Between the page and the core, in a frame of its own: what is not named here never leaves the page, whatever
// script got into it.
const ALLOWED = ["app_view", "run", "plugin:event|listen", "plugin:event|unlisten"];

window.__TAURI_ISOLATION_HOOK__ = (message) => {
  if (!ALLOWED.includes(message.cmd)) throw new Error(`not allowed: ${String(message.cmd)}`);
  return message;
};
