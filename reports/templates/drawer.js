// The drawer: all that is known of one cell. Every link to a file of a cell opens it.
const byFolder = new Map(data.cells.map((cell) => [cell.folder, cell]));
const byKey = new Map(data.cells.map((cell) => [cell.key, cell]));
const runFolder = document.body.dataset.run;

function cellOf(link) {
  const parts = decodeURIComponent(new URL(link.href).pathname).split("/");
  return byFolder.get(parts.slice(-6, -1).join("/"));
}

function addressOf(cell, file) {
  return [runFolder, ...cell.folder.split("/"), file].map((part, place) => (place ? encodeURIComponent(part) : part)).join("/");
}

const drawer = element("dialog", { class: "drawer", "aria-labelledby": "drawer-title", close: () => state.set({ cell: "" }) });
document.body.append(drawer);

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  if (!link || link.closest("dialog") || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const cell = cellOf(link);
  if (!cell) return;
  event.preventDefault();
  state.set({ cell: cell.key });
});

drawer.addEventListener("click", (event) => { if (event.target === drawer) drawer.close(); });

function part(title, ...content) {
  return element("section", {}, element("h3", {}, title), ...content);
}

function fill(cell) {
  const siblings = data.cells.filter((other) =>
    other !== cell && ["suite", "backbone", "label"].every((name) => other[name] === cell[name]));
  const standing = [cell.state, cell.phase && `in ${cell.phase}`, cell.step !== null && `step ${cell.step}`];
  const rest = element("div", { class: "drawer-body" },
    element("p", { class: `standing ${cell.state}` }, standing.filter(Boolean).join(", "), cell.reason ? ": " : "", isolated(cell.reason ?? "")),
    element("p", {}, isolated(`${cell.method_title ?? cell.method}: ${cell.suite} on ${cell.backbone}, seed ${cell.seed}`), ...siblings.flatMap((other, place) => [
      place ? ", " : "; other cells of this row: ",
      element("button", { type: "button", class: "link", click: () => state.set({ cell: other.key }) }, `seed ${other.seed} (${other.state})`),
    ])),
  );
  if (cell.scores.length) {
    rest.append(part("Scores", definitions(cell.scores.map(([name, metric, value]) => [name, `${value} (${metric})`]))));
  }
  const { selection, ...training } = cell.curve;
  if (Object.keys(training).length) {
    const host = element("div");
    rest.append(part("Training curve", host));
    cell.draw = () => responsive(host, (width) => lines(Object.entries(training), width, {
      title: `Training loss of each task by step, ${cell.label}`, xTitle: "Step", yTitle: "Loss",
    }));
  }
  if (selection) {
    rest.append(part("Selection split, mean over tasks", definitions(selection.map(([epoch, value]) => [`Epoch ${epoch}`, short(value * 100)]))));
  }
  if (data.answers[cell.key]) {
    rest.append(part("Predictions", element("button", { type: "button", click: () => {
      state.set({ cell: "", see: cell.key, with: "", at: "predictions" });
      show("predictions");
    } }, "Look at examples")));
  }
  if (cell.command) {
    const button = element("button", { type: "button", click: () => copy(cell.command, button) }, "Copy");
    rest.append(part("Run it again", element("p", {}, "In the run's folder, with the packages below:"),
      element("pre", { tabindex: 0 }, element("code", {}, cell.command)), button));
  }
  if (cell.log) rest.append(part("End of the log", element("pre", { tabindex: 0 }, element("code", {}, isolated(cell.log)))));
  rest.append(part("Configuration", definitions(Object.entries(cell.configuration))));
  if (cell.environment !== null) rest.append(part("Environment", definitions(data.environments[cell.environment])));
  const files = ["cell.json", "log.txt", ...(cell.state === "done" ? ["result.json", "predictions.parquet"] : [])];
  rest.append(part("Files", element("p", {}, files.flatMap((file) => [element("a", { href: addressOf(cell, file) }, file), " "]))));
  drawer.replaceChildren(element("header", {},
    element("h2", { id: "drawer-title" }, isolated(cell.label)),
    element("button", { type: "button", class: "close", "aria-label": "Close", click: () => drawer.close() }, "×"),
  ), rest);
}

state.follow(() => {
  const cell = byKey.get(state.get("cell"));
  if (!cell) {
    if (drawer.open) drawer.close();
    return;
  }
  if (drawer.open && drawer.dataset.key === cell.key) return;
  drawer.dataset.key = cell.key;
  fill(cell);
  if (!drawer.open) drawer.showModal();
  drawer.scrollTop = 0;
  cell.draw?.();
});
