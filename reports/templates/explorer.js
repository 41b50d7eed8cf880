// Quality against cost: any score against any cost, with the Pareto front; points by hover, keys and click.
const DETAIL = "Point at a row, or step through the rows with the arrow keys; Enter opens its cell.";

function shownRows(board) {
  return board.rows.filter((row) => passes({ family: byKey.get(row.key).family, text: `${row.label} ${row.title}`.toLowerCase() }));
}

// Rows that no other row beats in both; projection, full fine-tuning and all methods, but no controls.
function front(points, higherIsBetter, moreIsBetter) {
  const better = (one, two, more) => (more ? one > two : one < two);
  return points.filter((point) => point.row.kind !== "control" && !points.some((other) =>
    other.row.kind !== "control" && !better(point.x, other.x, moreIsBetter) && !better(point.y, other.y, higherIsBetter)
      && (better(other.x, point.x, moreIsBetter) || better(other.y, point.y, higherIsBetter)))).sort((a, b) => a.x - b.x);
}

function interval(score) {
  return score.length === 4 ? `, 95 % interval ${score[2].toFixed(2)} to ${score[3].toFixed(2)}` : "";
}

function describe({ row, x, y, score }, axis, task) {
  return `${row.label}: ${task[1]} ${y.toFixed(2)} (n = ${score[1]}${interval(score)}); ${axis[1]} ${short(x)}${row.shared ? ", not measured alone" : ""}`;
}

// Names beside points where they touch nothing; the others are named when pointed at.
function label(drawing, points, width, height) {
  const taken = points.map(({ px, py }) => [px - 6, py - 6, px + 6, py + 6]);
  const free = (box) => box[0] > 50 && box[2] < width - 2 && box[1] > 14 && box[3] < height - 44
    && !taken.some((other) => box[0] < other[2] && other[0] < box[2] && box[1] < other[3] && other[1] < box[3]);
  for (const { px, py, row } of [...points].sort((a, b) => a.py - b.py)) {
    const name = row.label.length > 34 ? `${row.label.slice(0, 33)}…` : row.label;
    const long = name.length * 6.2;
    for (const [x, y, anchor] of [[9, 4, "start"], [-9, 4, "end"], [9, -8, "start"], [-9, -8, "end"], [9, 15, "start"], [-9, 15, "end"]]) {
      const left = anchor === "start" ? px + x : px + x - long;
      const box = [left, py + y - 10, left + long, py + y + 3];
      if (!free(box)) continue;
      taken.push(box);
      drawing.append(element("svg:text", { x: px + x, y: py + y, "text-anchor": anchor, class: "label", "aria-hidden": "true" }, name));
      break;
    }
  }
}

const SHAPES = {
  ranked: (x, y) => element("svg:circle", { cx: x, cy: y, r: 5 }),
  reference: (x, y) => element("svg:rect", { x: x - 4.5, y: y - 4.5, width: 9, height: 9 }),
  control: (x, y) => element("svg:path", { d: `M${x - 4.5} ${y - 4.5}l9 9m0 -9l-9 9` }),
};

function plot(board, task, axis, width, told) {
  const points = shownRows(board)
    .filter((row) => row.scores[task[0]] && row.costs[axis[0]] > 0)
    .map((row) => ({ row, x: row.costs[axis[0]], y: row.scores[task[0]][0], score: row.scores[task[0]] }));
  if (!points.length) return element("p", { class: "notes" }, "No row has both figures.");
  const height = Math.max(300, Math.min(460, width * 0.55));
  const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)];
  const ends = points.flatMap(({ score }) => score.slice(2));
  const between = Math.max(...ys) - Math.min(...ys);
  const range = Math.max(between, 4); // small differences must not look large
  const margin = range * 0.08 + (range - between) / 2;
  const low = Math.max(Math.min(...ys, ...ends), Math.min(...ys) - range) - margin; // wide whiskers are cut
  const high = Math.min(Math.max(...ys, ...ends), Math.max(...ys) + range) + margin;
  const logarithmic = Math.max(...xs) > 8 * Math.min(...xs);
  const spread = logarithmic ? [Math.min(...xs) / 1.5, Math.max(...xs) * 1.8] : [0, Math.max(...xs) * 1.12];
  const { drawing, across, up } = frame({
    width, height, title: `${task[1]} against ${axis[1]}`,
    x: { low: spread[0], high: spread[1], logarithmic, title: axis[1] + (logarithmic ? ", logarithmic" : "") },
    y: { low, high, title: task[1] },
  });
  drawing.setAttribute("role", "group");
  const best = front(points, task[2], axis[2]);
  drawing.append(element("svg:path", { class: "front", d: best.map(({ x, y }, place) => `${place ? "L" : "M"}${across(x).toFixed(1)} ${up(y).toFixed(1)}`).join("") }));
  const ordered = points.sort((a, b) => a.x - b.x || a.y - b.y);
  ordered.forEach((point) => Object.assign(point, { px: across(point.x), py: up(point.y) }));
  const marks = ordered.map((point, place) => {
    const mark = element("svg:g", {
      class: `point ${point.row.kind}`, role: "button", tabindex: place ? -1 : 0, "aria-label": describe(point, axis, task),
      mouseenter: () => { told.textContent = describe(point, axis, task); },
      focus: () => { told.textContent = describe(point, axis, task); },
      click: () => state.set({ cell: point.row.key }),
      keydown: (event) => {
        const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
        if (event.key === "Enter" || event.key === " ") state.set({ cell: point.row.key });
        else if (step) {
          const next = marks[(place + step + marks.length) % marks.length];
          marks.forEach((each) => each.setAttribute("tabindex", each === next ? 0 : -1));
          next.focus();
        } else return;
        event.preventDefault();
      },
    });
    if (point.score.length === 4) mark.append(element("svg:line", { class: "interval", x1: point.px, x2: point.px, y1: up(Math.max(low, point.score[2])), y2: up(Math.min(high, point.score[3])) }));
    mark.append(SHAPES[point.row.kind](point.px, point.py), element("svg:circle", { class: "target", cx: point.px, cy: point.py, r: 12 }));
    return mark;
  });
  drawing.append(...marks);
  label(drawing, ordered, width, height);
  return drawing;
}
