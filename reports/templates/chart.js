// Axes for small charts: scales, round ticks, and a frame to draw in. Colours come from the style sheet.
function scale(low, high, from, to, logarithmic = false) {
  const of = logarithmic ? Math.log10 : (value) => value;
  const span = of(high) - of(low) || 1;
  return (value) => from + ((of(value) - of(low)) / span) * (to - from);
}

function ticks(low, high, wanted, logarithmic = false) {
  const found = [];
  if (logarithmic) {
    const decades = Math.log10(high / low);
    const steps = decades > wanted ? [1] : decades > 1.5 ? [1, 3] : [1, 2, 3, 5, 7];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
      for (const step of steps) found.push(Number((step * 10 ** power).toPrecision(3)));
    }
  } else {
    const raw = (high - low || 1) / wanted;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].find((each) => each * power >= raw) * power;
    for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-9; value += step) {
      found.push(Number(value.toPrecision(12)));
    }
  }
  return found.filter((value) => value >= low * (low > 0 ? 0.999999 : 1) && value <= high);
}

function frame({ width, height, x, y, title, left = 52, right = 12 }) {
  const [top, bottom] = [28, 42];
  const across = scale(x.low, x.high, left, width - right, x.logarithmic);
  const up = scale(y.low, y.high, height - bottom, top, y.logarithmic);
  const text = (attributes, content) => element("svg:text", attributes, content);
  const drawing = element("svg:svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": title, class: "chart" });
  for (const value of ticks(y.low, y.high, 5, y.logarithmic)) {
    drawing.append(
      element("svg:line", { class: "grid", x1: left, x2: width - right, y1: up(value), y2: up(value) }),
      text({ x: left - 8, y: up(value) + 4, "text-anchor": "end" }, (y.write ?? short)(value)),
    );
  }
  for (const value of ticks(x.low, x.high, Math.max(3, Math.floor(width / 110)), x.logarithmic)) {
    drawing.append(
      element("svg:line", { class: "tick", x1: across(value), x2: across(value), y1: height - bottom, y2: height - bottom + 5 }),
      text({ x: across(value), y: height - bottom + 19, "text-anchor": "middle" }, (x.write ?? short)(value)),
    );
  }
  drawing.append(
    element("svg:line", { class: "axis", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom }),
    text({ x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle", class: "title" }, x.title),
    text({ x: 4, y: 10, class: "title" }, y.title),
  );
  return { drawing, across, up };
}

function short(value) {
  const size = Math.abs(value);
  if (size >= 1e6 || (size > 0 && size < 1e-3)) return value.toExponential(0).replace("e+", "e");
  return value.toLocaleString("en", { maximumSignificantDigits: 4 });
}

// Draws once there is room, and again whenever the place for a chart changes its width. The observer tells the width:
// asking for it would lay out the whole page again for every chart.
function responsive(host, draw) {
  let width = 0;
  const redraw = () => {
    if (width) host.replaceChildren(draw(Math.max(260, Math.min(width, 900))));
  };
  new ResizeObserver(([{ contentRect }]) => {
    const before = width;
    width = Math.round(contentRect.width);
    if (width !== before) redraw();
  }).observe(host);
  return redraw;
}

const DASHES = ["", "7 3", "2 3", "9 3 2 3", "4 4", "12 4", "1 5", "6 2 1 2 1 2"];

// Lines of points [x, y], told apart by dashes and named at their ends.
function lines(series, width, { title, xTitle, yTitle }) {
  const points = series.flatMap(([, line]) => line);
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  const right = Math.min(110, width / 4);
  const height = 240;
  const { drawing, across, up } = frame({
    width, height, title, right,
    x: { low: Math.min(0, ...xs), high: Math.max(...xs), title: xTitle },
    y: { low: Math.min(0, ...ys), high: Math.max(...ys), title: yTitle },
  });
  const ends = series.map(([name, line]) => ({ name, y: up(line.at(-1)[1]) })).sort((a, b) => a.y - b.y);
  for (let place = 1; place < ends.length; place++) ends[place].y = Math.max(ends[place].y, ends[place - 1].y + 12);
  const over = Math.max(0, (ends.at(-1)?.y ?? 0) - (height - 44));
  for (const end of ends) {
    drawing.append(element("svg:text", { x: width - right + 6, y: end.y - over + 4 }, end.name));
  }
  series.forEach(([, line], place) => drawing.append(element("svg:path", {
    class: "line", d: line.map(([x, y], at) => `${at ? "L" : "M"}${across(x).toFixed(1)} ${up(y).toFixed(1)}`).join(""),
    "stroke-dasharray": DASHES[place % DASHES.length],
  })));
  return drawing;
}
