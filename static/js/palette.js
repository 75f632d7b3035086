// Keys and the dialogs that they open. While something is typed into a field, no key but Ctrl-K is one of ours.
(() => {
  const SEQUENCE_FOR = 1000;
  const palette = document.querySelector("[data-palette-dialog]");
  const keys = document.querySelector("[data-keys-dialog]");
  if (!palette) return;

  const field = palette.querySelector("input");
  const items = () => [...palette.querySelectorAll(".palette__item")];
  const typing = (target) => target.closest("input, textarea, select, [contenteditable]");

  function open(dialog) {
    for (const other of [palette, keys]) if (other.open) other.close();
    dialog.showModal();
  }

  function search() {
    open(palette);
    field.select();
    field.dispatchEvent(new CustomEvent("palette"));
  }

  function kill() {
    const control = document.querySelector("details.kill__confirm");
    if (control) control.open = true;
  }

  function choose(event) {
    const all = items();
    if (event.key === "Enter" && event.target === field) {
      // What is shown may be older than what was typed: then the page of results answers.
      if (palette.querySelector(".palette__found").dataset.text !== field.value.trim()) return;
      event.preventDefault();
      if (all.length) all[0].focus();
      if (all.length && all[0].matches("a")) all[0].click();
    } else if (all.length && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      const next = all.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
      (all[next] || (next < 0 ? field : all[0])).focus();
    }
  }

  let before = "";
  let pressed = 0;

  // Two keys, one soon after the other.
  function sequence(event) {
    const wanted = event.timeStamp - pressed < SEQUENCE_FOR ? `${before} ${event.key}` : event.key;
    [before, pressed] = [event.key, event.timeStamp];
    const link = keys.querySelector(`[data-keys="${CSS.escape(wanted)}"]`);
    if (wanted === "k k") kill();
    else if (event.key === "?") open(keys);
    else if (link) link.click();
    else return;
    before = "";
    event.preventDefault();
  }

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      search();
    } else if (palette.open) choose(event);
    else if (!event.ctrlKey && !event.metaKey && !event.altKey && !typing(event.target)) sequence(event);
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("a[data-palette]")) {
      event.preventDefault();
      search();
    } else if (event.target === palette || event.target === keys) event.target.close();
  });
})();
