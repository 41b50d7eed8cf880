// Scores of every row, task by task, and mean ranks over tasks.
const LINE = 17;

function names(drawing, rows, left, top) {
  rows.forEach((label, place) => {
    const most = Math.floor((left - 8) / 6);
    const text = element("svg:text", { x: left - 8, y: top + place * LINE + 12, "text-anchor": "end" }, label.length > most ? `${label.slice(0, most - 1)}…` : label);
    text.append(element("svg:title", {}, label));
    drawing.append(text);
  });
}

// A frame for one line per row: an axis below, names at the left.
function listing({ width, rows, low, high, title, xTitle }) {
  const left = Math.min(190, width * 0.36);
  const [top, height] = [6, rows.length * LINE + 50];
  const across = scale(low, high, left, width - 60);
  const base = height - 42;
  const drawing = element("svg:svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": title, class: "chart" });
  for (const value of ticks(low, high, Math.max(2, Math.floor(width / 110)))) {
    drawing.append(
      element("svg:line", { class: "grid", x1: across(value), x2: across(value), y1: top, y2: base }),
      element("svg:text", { x: across(value), y: base + 16, "text-anchor": "middle" }, short(value)));
  }
  drawing.append(
    element("svg:line", { class: "axis", x1: left, x2: width - 60, y1: base, y2: base }),
    element("svg:text", { x: (left + width - 60) / 2, y: height - 8, "text-anchor": "middle", class: "title" }, xTitle));
  names(drawing, rows, left, top);
  return { drawing, across, top, base, right: width - 46 };
}

function bars(board, task, width) {
  const [name, title, higher] = task;
  const rows = shownRows(board).filter((row) => row.scores[name])
    .sort((a, b) => (b.scores[name][0] - a.scores[name][0]) * (higher ? 1 : -1));
  if (!rows.length) return element("p", { class: "notes" }, "No row has this score.");
  const means = rows.map((row) => row.scores[name][0]);
  const [least, most] = [Math.min(0, ...means), Math.max(...means, board.floors[name] ?? 0) * 1.12]; // wide whiskers are cut
  const told = rows.map((row) => `${row.label} ${row.scores[name][0].toFixed(2)}${interval(row.scores[name])}`);
  const { drawing, across, top, base, right } = listing({
    width, rows: rows.map((row) => row.label), low: least, high: most || 1,
    title: `${title}: ${told.join("; ")}`, xTitle: title,
  });
  rows.forEach((row, place) => {
    const [mean, , low, high] = row.scores[name];
    const middle = top + place * LINE + LINE / 2;
    drawing.append(element("svg:rect", { class: `bar ${row.kind}`, x: Math.min(across(0), across(mean)), y: middle - 5.5, width: Math.abs(across(mean) - across(0)), height: 11 }));
    if (low !== undefined) drawing.append(element("svg:line", { class: "interval", x1: across(Math.max(least, low)), x2: across(Math.min(most, high)), y1: middle, y2: middle }));
    drawing.append(element("svg:text", { x: right, y: middle + 4 }, mean.toFixed(2)));
  });
  const floor = board.floors[name];
  if (floor !== undefined) drawing.append(element("svg:line", { class: "floor-line", x1: across(floor), x2: across(floor), y1: top, y2: base }));
  return drawing;
}

function ranks(board, width) {
  const shown = new Set(shownRows(board).map((row) => row.label));
  const rows = board.ranks.rows.filter(([name]) => shown.has(name));
  if (!rows.length) return element("p", { class: "notes" }, "No ranked row is shown.");
  const best = board.ranks.rows[0][1];
  const { drawing, across, top, base, right } = listing({
    width, rows: rows.map(([label]) => label), low: 1, high: Math.max(board.ranks.rows.length, best + board.ranks.critical),
    title: `Mean rank over tasks: ${rows.map(([label, rank]) => `${label} ${rank.toFixed(2)}`).join("; ")}`, xTitle: "Mean rank over tasks (1 is best)",
  });
  drawing.querySelector("line").before(element("svg:rect", { class: "critical", x: across(best), y: top, width: across(best + board.ranks.critical) - across(best), height: base - top }));
  rows.forEach(([, rank, low, high], place) => {
    const middle = top + place * LINE + LINE / 2;
    drawing.append(
      ...(low === undefined ? [] : [element("svg:line", { class: "interval", x1: across(low), x2: across(high), y1: middle, y2: middle })]),
      element("svg:circle", { class: "rank", cx: across(rank), cy: middle, r: 4.5 }),
      element("svg:text", { x: right, y: middle + 4 }, rank.toFixed(2)));
  });
  return drawing;
}
