"use strict";
const root = document.documentElement;
root.classList.add("js", "loading"); // a table that grows while it is read would be laid out many times over
document.addEventListener("DOMContentLoaded", function () {
  root.classList.remove("loading");
  const table = document.getElementById("containers");
  if (!table) return;
  const form = document.getElementById("filter"), count = document.getElementById("count"), empty = document.getElementById("empty");
  const rest = document.getElementById("rest"), most = 200; // rows at once: more take a browser seconds
  const rows = Array.from(table.tBodies), heads = Array.from(table.tHead.querySelectorAll("th[data-sort]"));
  const text = new Map(rows.map(r => [r, r.rows[0].textContent.toLowerCase()]));
  let order = rows, all = false;

  // What a row keeps for those without scripts is parsed when it opens. It is the page's own, and escaped.
  function toggle(row, open) {
    const button = row.querySelector(".toggle"), kept = open && row.querySelector("noscript");
    if (kept) kept.parentElement.innerHTML = kept.textContent;
    row.classList.toggle("open", open);
    button.setAttribute("aria-expanded", String(open));
    button.textContent = open ? "\u25be" : "\u25b8";
  }
  const isOpen = row => row.classList.contains("open");
  rows.forEach(function (row) {
    toggle(row, false);
    row.querySelector(".toggle").addEventListener("click", () => toggle(row, !isOpen(row)));
  });

  // must is a row that is shown even where there is no room for it.
  function filter(must) {
    const want = form.elements, words = want.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let fits = 0;
    order.forEach(function (row) {
      const d = row.dataset;
      const ok = (!want.namespace.value || d.namespace === want.namespace.value) &&
        (!want.kind.value || d.kind === want.kind.value) &&
        (!want.state.value || d.states.split(" ").includes(want.state.value)) &&
        words.every(w => text.get(row).includes(w));
      fits += ok ? 1 : 0;
      row.hidden = !ok || (fits > most && !all && row !== must);
    });
    count.textContent = fits + " of " + rows.length;
    empty.hidden = fits > 0;
    rest.hidden = all || fits <= most;
    rest.textContent = "The first " + most + " are listed: list all " + fits;
  }
  rest.addEventListener("click", function () { all = true; filter(); });

  // The order of an unknown key is the report's own. Equals stay in that order, since sorting is stable.
  function sort(key, direction) {
    const head = heads.find(h => h.dataset.sort === key), at = heads.indexOf(head);
    heads.forEach(h => h.removeAttribute("aria-sort"));
    if (head) head.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
    const value = new Map(rows.map(r => [r, head ? Number(r.dataset.keys.split(" ")[at]) : 0]));
    const sorted = rows.slice().sort((a, b) => direction * (value.get(a) - value.get(b)));
    if (sorted.some((row, i) => row !== order[i])) table.append(...sorted);
    order = sorted;
  }

  function clear() {
    for (const e of form.elements) if (e.name) e.value = "";
  }

  function save() {
    const q = new URLSearchParams();
    for (const e of form.elements) if (e.name && e.value) q.set(e.name, e.value);
    const head = heads.find(h => h.hasAttribute("aria-sort"));
    if (head) q.set("sort", (head.getAttribute("aria-sort") === "ascending" ? "" : "-") + head.dataset.sort);
    history.replaceState(null, "", "#" + q);
  }

  function load() {
    const hash = location.hash.slice(1), target = hash && document.getElementById(hash);
    clear();
    if (target && rows.includes(target)) {
      filter(target);
      toggle(target, true);
      target.scrollIntoView();
      return;
    }
    const q = new URLSearchParams(hash);
    for (const e of form.elements) if (e.name && q.has(e.name)) e.value = q.get(e.name);
    const by = q.get("sort") || "";
    sort(by.replace(/^-/, ""), by.startsWith("-") ? -1 : 1);
    filter();
  }

  form.addEventListener("input", function () { filter(); save(); });
  form.addEventListener("submit", e => e.preventDefault());
  form.addEventListener("reset", function (e) { e.preventDefault(); clear(); filter(); save(); });
  heads.forEach(h => h.querySelector("button").addEventListener("click", function () {
    const now = h.getAttribute("aria-sort");
    sort(h.dataset.sort, now ? (now === "ascending" ? -1 : 1) : (h.dataset.sort === "name" ? 1 : -1));
    filter();
    save();
  }));
  window.addEventListener("hashchange", load);

  // Paper has no buttons: what fits is printed whole.
  let opened = [], before = false;
  window.addEventListener("beforeprint", function () {
    before = all;
    all = true;
    filter();
    opened = rows.filter(r => !r.hidden && !isOpen(r));
    opened.forEach(r => toggle(r, true));
  });
  window.addEventListener("afterprint", function () {
    opened.forEach(r => toggle(r, false));
    all = before;
    filter();
  });
  load();
});
