// One bar filters everything on the page by suite, backbone, family of methods and a text to search for.
const familyOf = new Map(data.cells.map((cell) => [cell.label, cell.family]));

function factsOf(row, names) {
  const link = row.querySelector("a[href]");
  const cell = link && cellOf(link);
  const board = row.closest("section")?.dataset ?? {};
  const written = (name) => row.cells[names.indexOf(name)]?.querySelector("bdi")?.textContent;
  const labels = [...row.querySelectorAll("th bdi, td bdi")].map((text) => text.textContent.split(" · ")[0]);
  return {
    suite: cell?.suite ?? written("Suite") ?? board.suite,
    backbone: cell?.backbone ?? written("Backbone") ?? board.backbone,
    family: cell?.family ?? labels.map((label) => familyOf.get(label)).find(Boolean),
    text: row.textContent.toLowerCase(),
  };
}

const FACETS = ["suite", "backbone", "family"];

function passes(facts) {
  return FACETS.every((name) => !state.get(name) || facts[name] === undefined || facts[name] === state.get(name))
    && (!state.get("q") || facts.text.includes(state.get("q").toLowerCase()));
}

function filterBar() {
  const options = (name) => [["", `every ${name}`],
    ...[...new Set(data.cells.map((cell) => cell[name]))].sort().map((value) => [value, value])];
  const search = element("input", { type: "search", placeholder: "Search rows", "aria-label": "Search rows",
    input: () => state.set({ q: search.value }) });
  const told = element("output", {});
  const selects = FACETS.map((name) => choice(name[0].toUpperCase() + name.slice(1), options(name), state.get(name), (value) => state.set({ [name]: value })));
  const clear = element("button", { type: "button", click: () => state.set({ q: "", suite: "", backbone: "", family: "" }) }, "Clear");
  const bar = element("form", { class: "controls filters", role: "search", submit: (event) => event.preventDefault() },
    element("label", { class: "choice" }, element("span", {}, "Search"), search), ...selects, clear, told);
  document.querySelector("main").prepend(bar);
  state.follow(() => {
    if (document.activeElement !== search) search.value = state.get("q");
    FACETS.forEach((name, place) => { selects[place].querySelector("select").value = state.get(name); });
    clear.hidden = ![...FACETS, "q"].some((name) => state.get(name));
  });
  return told;
}

const filtered = [
  ...tables.flatMap(({ bodies, names }) => bodies.map((body) => ({ body, names }))),
  ...[...document.querySelectorAll(".matrix tbody")].map((body) => ({ body, names: ["Method"] })),
].map(({ body, names }) => ({ body, rows: rowsIn(body).map((row) => ({ row, facts: factsOf(row, names) })) }));

const told = filterBar();
follow(() => ["q", ...FACETS].map((name) => state.get(name)).join("\n"), () => {
  let [shown, all] = [0, 0];
  for (const { body, rows } of filtered) {
    for (const { row, facts } of rows) {
      row.hidden = !passes(facts);
      shown += !row.hidden;
      all += 1;
    }
    body.hidden = rows.length > 0 && rows.every(({ row }) => row.hidden);
  }
  const matches = ({ suite, backbone }) => [[suite, "suite"], [backbone, "backbone"]].every(([value, name]) => !state.get(name) || value === state.get(name));
  for (const board of document.querySelectorAll("section[data-suite]")) board.hidden = !matches(board.dataset);
  for (const heading of document.querySelectorAll(".matrix thead [data-suite]")) heading.hidden = !matches(heading.dataset);
  const places = [...document.querySelectorAll(".matrix thead tr:last-child th")].map((heading) => heading.hidden);
  for (const row of document.querySelectorAll(".matrix tbody tr")) [...row.cells].forEach((cell, place) => { cell.hidden = places[place]; });
  told.textContent = shown === all ? "" : `${shown} of ${all} rows`;
});
