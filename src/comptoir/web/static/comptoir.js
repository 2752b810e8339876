// What pages need beyond htmx: keys, menus that close, questions before what cannot be undone. No inline handlers anywhere.
"use strict";

const on = (type, selector, act) =>
  document.addEventListener(type, (event) => {
    const found = event.target.closest?.(selector);
    if (found) act(event, found);
  });

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") document.querySelectorAll("details.menu[open]").forEach((menu) => menu.removeAttribute("open"));
});

document.addEventListener("click", (event) => {
  document.querySelectorAll("details.menu[open]").forEach((menu) => {
    if (!menu.contains(event.target)) menu.removeAttribute("open");
  });
});

// A button that asks first says what will happen in its own words.
on("submit", "form", (event, form) => {
  const question = event.submitter?.dataset.ask ?? form.dataset.ask;
  if (question && !window.confirm(question)) event.preventDefault();
});

on("change", "[data-picks-all]", (event, all) => {
  document.querySelectorAll(`input[form="${all.dataset.picksAll}"][name="picked"]`).forEach((box) => (box.checked = all.checked));
});

on("click", "[data-copies]", async (event, button) => {
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent.trim());
  button.textContent = button.dataset.done;
});

// On a phone the row of tabs, or of pages, is longer than the screen: it begins where the reader is.
document.querySelectorAll(".tabs [aria-current], .frame > nav [aria-current]").forEach((here) => {
  const row = here.closest(".tabs, ul");
  row.scrollLeft = here.offsetLeft - row.offsetLeft - (row.clientWidth - here.offsetWidth) / 2;
});
