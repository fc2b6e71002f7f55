"use strict";
const scenarios = [...document.querySelectorAll("#scenarios > .scenario")];
const tiles = [...document.querySelectorAll(".tile")];
const text = document.getElementById("text");
const tag = document.getElementById("tag");
const words = new Map();

function wordsOf(scenario) {
  if (!words.has(scenario)) words.set(scenario, scenario.textContent.toLowerCase());
  return words.get(scenario);
}

function filter() {
  const outcomes = tiles.filter((tile) => tile.ariaPressed === "true").map((tile) => tile.dataset.outcome);
  const wanted = text.value.trim().toLowerCase();
  const chosen = tag ? tag.value : "";
  let shown = 0;
  for (const scenario of scenarios) {
    const fits =
      (!outcomes.length || outcomes.includes(scenario.dataset.outcome)) &&
      (!chosen || scenario.dataset.tags.split("\n").includes(chosen)) &&
      (!wanted || wordsOf(scenario).includes(wanted));
    scenario.hidden = !fits;
    shown += fits;
  }
  document.getElementById("shown").textContent = `${shown} of ${scenarios.length} scenarios`;
  document.getElementById("none").hidden = shown > 0;
}

function press(tile, pressed) {
  tile.setAttribute("aria-pressed", String(pressed));
}

function showAll() {
  tiles.forEach((tile) => press(tile, false));
  text.value = "";
  if (tag) tag.value = "";
  filter();
}

function move(step) {
  const shown = scenarios.filter((scenario) => !scenario.hidden);
  const at = shown.findIndex((scenario) => scenario.contains(document.activeElement));
  const next = shown[at < 0 ? (step > 0 ? 0 : shown.length - 1) : Math.min(shown.length - 1, Math.max(0, at + step))];
  if (next) next.querySelector("summary").focus();
}

function openNamed() {
  const scenario = document.getElementById(location.hash.slice(1));
  if (scenario && scenario.tagName === "DETAILS") {
    scenario.open = true;
    scenario.scrollIntoView();
  }
}

for (const tile of tiles) {
  tile.addEventListener("click", () => {
    press(tile, tile.ariaPressed !== "true");
    filter();
  });
}
text.addEventListener("input", filter);
if (tag) tag.addEventListener("change", filter);
document.getElementById("filters").addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") showAll();
  else if (["INPUT", "SELECT"].includes(document.activeElement.tagName)) return;
  else if (event.key === "/") text.focus();
  else if (event.key === "j") move(1);
  else if (event.key === "k") move(-1);
  else return;
  event.preventDefault();
});
window.addEventListener("hashchange", openNamed);
filter();
openNamed();
