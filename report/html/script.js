"use strict";
(function () {
  const root = document.documentElement, table = document.getElementById("containers");
  if (!table) return;
  root.classList.add("js");
  const form = document.getElementById("filter"), count = document.getElementById("count");
  const rows = Array.from(table.tBodies), heads = Array.from(table.tHead.querySelectorAll("th[data-sort]"));
  const empty = document.getElementById("empty");
  const text = new Map(rows.map(r => [r, r.rows[0].textContent.toLowerCase()]));

  function toggle(row, open) {
    const button = row.querySelector(".toggle");
    row.rows[1].hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    button.textContent = open ? "\u25be" : "\u25b8";
  }
  rows.forEach(function (row) {
    toggle(row, false);
    row.querySelector(".toggle").addEventListener("click", () => toggle(row, row.rows[1].hidden));
  });

  function filter() {
    const want = form.elements, words = want.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach(function (row) {
      const d = row.dataset;
      const ok = (!want.namespace.value || d.namespace === want.namespace.value) &&
        (!want.kind.value || d.kind === want.kind.value) &&
        (!want.state.value || d.states.split(" ").includes(want.state.value)) &&
        words.every(w => text.get(row).includes(w));
      row.hidden = !ok;
      shown += ok ? 1 : 0;
    });
    count.textContent = shown + " of " + rows.length;
    empty.hidden = shown > 0;
  }

  function sort(key, direction) {
    heads.forEach(h => h.removeAttribute("aria-sort"));
    const head = heads.find(h => h.dataset.sort === key);
    if (!head) return;
    head.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
    const at = heads.indexOf(head), value = new Map(rows.map(r => [r, Number(r.dataset.keys.split(" ")[at])]));
    rows.slice().sort((a, b) => direction * (value.get(a) - value.get(b)) || rows.indexOf(a) - rows.indexOf(b)).forEach(r => table.append(r));
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
    if (target && rows.includes(target)) {
      form.reset();
      filter();
      toggle(target, true);
      target.scrollIntoView();
      return;
    }
    const q = new URLSearchParams(hash);
    for (const e of form.elements) if (e.name && q.has(e.name)) e.value = q.get(e.name);
    const by = q.get("sort");
    if (by) sort(by.replace(/^-/, ""), by.startsWith("-") ? -1 : 1);
    filter();
  }

  form.addEventListener("input", function () { filter(); save(); });
  form.addEventListener("submit", e => e.preventDefault());
  form.addEventListener("reset", () => setTimeout(function () { filter(); save(); }));
  heads.forEach(h => h.querySelector("button").addEventListener("click", function () {
    const now = h.getAttribute("aria-sort");
    sort(h.dataset.sort, now ? (now === "ascending" ? -1 : 1) : (h.dataset.sort === "name" ? 1 : -1));
    save();
  }));
  window.addEventListener("hashchange", load);
  window.addEventListener("beforeprint", () => rows.forEach(r => toggle(r, true)));
  load();
})();
