// The theme of the switch, put on before the first paint; without a choice the system's wish counts.
(() => {
  const root = document.documentElement;
  const themes = ["system", "light", "dark"];
  const kept = () => document.cookie.split("; ").find((one) => one.startsWith("theme="))?.slice(6);
  const chosen = () => (themes.includes(kept()) ? kept() : "system");

  function apply() {
    if (chosen() === "system") delete root.dataset.theme;
    else root.dataset.theme = chosen();
    for (const label of document.querySelectorAll("[data-theme-name]")) label.textContent = chosen();
    document.dispatchEvent(new Event("theme"));
  }

  apply();
  document.addEventListener("DOMContentLoaded", apply);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-switch]")) return;
    const next = themes[(themes.indexOf(chosen()) + 1) % themes.length];
    document.cookie = `theme=${next}; path=/; max-age=31536000; samesite=lax`;
    apply();
  });
})();
