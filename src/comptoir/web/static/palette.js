// The command palette: Ctrl-K opens it, what is typed is asked of the server, arrows choose, Enter goes there, Esc closes.
"use strict";

(() => {
  const dialog = document.getElementById("palette");
  if (!dialog) return;
  const text = document.getElementById("palette-text");
  const list = document.getElementById("palette-list");
  const said = document.getElementById("palette-said");
  let asking = null;
  let waiting = 0;
  let shown = null; // the text that the list answers

  const options = () => [...list.querySelectorAll('[role="option"]')];
  const chosen = () => list.querySelector('[aria-selected="true"]');

  const choose = (option) => {
    chosen()?.setAttribute("aria-selected", "false");
    if (!option) return text.removeAttribute("aria-activedescendant");
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    text.setAttribute("aria-activedescendant", option.id);
  };

  const ask = async () => {
    asking?.abort();
    asking = new AbortController();
    const asked = text.value.trim();
    try {
      const answer = await fetch(`${dialog.dataset.asks}?q=${encodeURIComponent(asked)}`, { signal: asking.signal, headers: { "HX-Request": "true" } });
      if (answer.status === 401) return window.location.reload();
      if (!answer.ok) return;
      list.innerHTML = await answer.text(); // made by our own template, every value escaped there
      shown = asked;
      said.textContent = list.firstElementChild?.dataset.said ?? "";
      choose(options()[0]);
    } catch (error) {
      if (error.name !== "AbortError") said.textContent = "";
    }
  };

  const go = (option, inNewTab) => {
    const { goesTo, how } = option.dataset;
    if (how) {
      const form = document.getElementById("palette-does");
      form.action = goesTo;
      form.elements.how.value = how;
      form.submit();
    } else if (inNewTab) window.open(goesTo, "_blank", "noopener");
    else window.location.assign(goesTo);
    dialog.close();
  };

  const open = () => {
    if (dialog.open) return text.select();
    dialog.showModal();
    text.value = "";
    text.focus();
    ask();
  };

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      open();
    }
  });
  text.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(ask, 70);
  });
  text.addEventListener("keydown", async (event) => {
    const all = options();
    const place = all.indexOf(chosen());
    const steps = { ArrowDown: place + 1, ArrowUp: place - 1, PageDown: place + 8, PageUp: place - 8 };
    if (event.key in steps && all.length) {
      event.preventDefault();
      const wanted = steps[event.key];
      const isPage = event.key.startsWith("Page");
      choose(all[isPage ? Math.max(0, Math.min(all.length - 1, wanted)) : (wanted + all.length) % all.length]);
    } else if (event.key === "Enter" && !event.isComposing) {
      event.preventDefault();
      if (shown !== text.value.trim()) {
        clearTimeout(waiting);
        await ask(); // typed faster than it was answered
      }
      const option = chosen();
      if (option) go(option, event.ctrlKey || event.metaKey);
      else if (text.value.trim()) text.form.submit(); // the search page says what else it may be
    }
  });
  list.addEventListener("click", (event) => {
    const option = event.target.closest('[role="option"]');
    if (option) go(option, event.ctrlKey || event.metaKey);
  });
  list.addEventListener("mousemove", (event) => {
    const option = event.target.closest('[role="option"]');
    if (option && option !== chosen()) choose(option);
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // beside it
  });
})();
