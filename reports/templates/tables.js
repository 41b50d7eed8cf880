// Tables: sorted by a click on a title, with chosen columns. Sections (references, methods, floors) stay apart and
// holes stay last. Each table's choices stand in the address as "name:what", one blank between tables.
const tables = [...document.querySelectorAll("table[data-table]")].map((table) => ({
  table,
  name: table.dataset.table,
  titles: [...table.tHead.rows[0].cells],
  names: [...table.tHead.rows[0].cells].map((title) => title.textContent.trim()),
  bodies: [...table.tBodies],
  block: table.closest(".scroll"),
}));

function chosen(kind, name) {
  const entry = state.get(kind).split(" ").find((each) => each.startsWith(`${name}:`));
  return entry ? entry.slice(name.length + 1) : "";
}

function choose(kind, name, value) {
  const others = state.get(kind).split(" ").filter((each) => each && !each.startsWith(`${name}:`));
  state.set({ [kind]: [...others, ...(value ? [`${name}:${value}`] : [])].join(" ") });
}

function rowsIn(body) {
  return [...body.querySelectorAll("tr:not(.section)")];
}

function key(cell, number) {
  if (!cell || cell.hasAttribute("data-hole")) return null;
  return number ? Number(cell.dataset.value) : (cell.querySelector("bdi") ?? cell).textContent;
}

function sort({ titles, bodies }, place, order) {
  const number = titles[place].classList.contains("number");
  titles.forEach((title) => title.removeAttribute("aria-sort"));
  titles[place].setAttribute("aria-sort", order);
  const sign = order === "ascending" ? 1 : -1;
  const { compare } = new Intl.Collator("en", { numeric: true });
  for (const body of bodies) {
    const keyed = rowsIn(body).map((row) => [key(row.cells[place], number), row]);
    keyed.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return sign * (number ? a - b : compare(a, b));
    });
    body.append(...keyed.map(([, row]) => row));
  }
}

function hideColumns({ titles, bodies }, places) {
  const set = (row) => [...row.cells].forEach((cell, place) => { cell.hidden = places.includes(place); });
  set(titles[0].parentElement);
  bodies.forEach((body) => rowsIn(body).forEach(set));
}

function sortable(entry) {
  entry.titles.forEach((title, place) => {
    const button = element("button", { type: "button", click: () => {
      const first = title.classList.contains("number") ? "descending" : "ascending";
      const other = first === "ascending" ? "descending" : "ascending";
      choose("sort", entry.name, `${place}.${title.getAttribute("aria-sort") === first ? other : first}`);
    } }, ...title.childNodes);
    title.append(button);
  });
}

// Follows a state, but does nothing as long as its text stays the same.
function follow(text, apply) {
  let before = "";
  state.follow(() => {
    const now = text();
    if (now !== before) apply(now);
    before = now;
  });
}

function tools(entry) {
  const boxes = entry.names.slice(1).map((name, place) => element("input", { type: "checkbox", change: () =>
    choose("hide", entry.name, boxes.flatMap((box, at) => (box.checked ? [] : [at + 1])).join(".")) }));
  const labels = boxes.map((box, place) => element("label", {}, box, " ", entry.names[place + 1]));
  entry.block.after(element("div", { class: "tools" },
    element("details", {}, element("summary", {}, "Columns"), element("div", { class: "columns" }, labels)),
    element("button", { type: "button", class: "link", click: () => take(entry) }, "Take this view")));
  follow(() => chosen("hide", entry.name), (text) => {
    const places = text.split(".").filter(Boolean).map(Number).filter((place) => place > 0);
    boxes.forEach((box, place) => { box.checked = !places.includes(place + 1); });
    hideColumns(entry, places);
  });
  boxes.forEach((box, place) => { box.checked = !entry.titles[place + 1].hidden; });
}

for (const entry of tables) {
  if (entry.bodies.some((body) => rowsIn(body).length > 1)) sortable(entry);
  tools(entry);
  follow(() => chosen("sort", entry.name), (text) => {
    const [place, order] = text.split(".");
    if (entry.titles[place] && ["ascending", "descending"].includes(order)) sort(entry, Number(place), order);
  });
}
