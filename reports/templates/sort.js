// Click or press a column's title to sort. Sections (references, methods, floors) stay apart and holes stay last.
for (const table of document.querySelectorAll("table")) {
  const titles = [...table.tHead.rows[0].cells];
  const bodies = [...table.tBodies];
  if (!bodies.some((body) => body.querySelectorAll("tr:not(.section)").length > 1)) continue;
  titles.forEach((title, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...title.childNodes);
    title.append(button);
    button.addEventListener("click", () => sort(bodies, titles, title, place));
  });
}

function sort(bodies, titles, title, place) {
  const number = title.classList.contains("number");
  const before = title.getAttribute("aria-sort");
  const first = number ? "descending" : "ascending";
  const other = number ? "ascending" : "descending";
  const order = before === first ? other : first;
  titles.forEach((each) => each.removeAttribute("aria-sort"));
  title.setAttribute("aria-sort", order);
  const sign = order === "ascending" ? 1 : -1;
  const compare = new Intl.Collator("en", { numeric: true }).compare;
  for (const body of bodies) {
    const rows = [...body.querySelectorAll("tr:not(.section)")];
    const keyed = rows.map((row) => [key(row.cells[place], number), row]);
    keyed.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return sign * (number ? a - b : compare(a, b));
    });
    body.append(...keyed.map(([, row]) => row));
  }
}

function key(cell, number) {
  if (cell.hasAttribute("data-hole")) return null;
  return number ? Number(cell.dataset.value) : (cell.querySelector("bdi") ?? cell).textContent;
}
