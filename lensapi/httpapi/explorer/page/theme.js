// theme.js runs before the first paint, so that the page never flashes in the wrong theme. It is no module, for modules wait for the whole document.
"use strict";
(() => {
  const asked = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // storage switched off: the choice then lasts as long as the page
    }
  };
  const apply = (theme) => {
    document.documentElement.dataset.theme = theme;
    dispatchEvent(new Event("theme"));
  };
  globalThis.setTheme = (theme) => {
    try {
      localStorage.setItem("theme", theme);
    } catch { /* as above */ }
    apply(theme);
  };
  asked.addEventListener("change", () => chosen() ?? apply(asked.matches ? "dark" : "light"));
  apply(chosen() ?? (asked.matches ? "dark" : "light"));
})();
