// The viewer: what a row answered on sampled examples, alone or beside another row where the two differ.
const RIGHT = 0.5; // of accuracies, which count a right answer as 1 and, with several references, parts of it
const FIRST = 12; // examples before "Show all"
const answers = new Map(Object.entries(data.answers).filter(([, list]) => list.length));

function reveal(id) {
  const section = document.getElementById(id);
  section.hidden = false;
  document.querySelector(`nav a[href="#${id}"]`).parentElement.hidden = false;
  return section;
}

// Captions have no right or wrong: a row's better half counts as its right ones.
function judge(task, list) {
  if (data.tasks[task].metric !== "cider") return (score) => score >= RIGHT;
  const scores = list.map(([, , score]) => score).sort((a, b) => a - b);
  const middle = scores[Math.floor(scores.length / 2)];
  return (score) => score >= middle;
}

function answersOf(key, task) {
  return answers.get(key).filter(([example]) => data.examples[example].task === task);
}

function picture(example, place) {
  const [name, number] = [example.images[place], example.pictures[place]];
  if (number === null) return element("span", { class: "absent" }, "Picture ", isolated(name), " (not kept here)");
  return element("img", { src: data.pictures[number], alt: `Picture ${name}`, loading: "lazy" });
}

function answer(title, text, score, right, captions) {
  const said = captions ? `CIDEr ${short(score * 100)}` : right ? "right" : score ? `${short(score * 100)} %, wrong` : "wrong";
  return [
    element("dt", {}, isolated(title)),
    element("dd", { class: right ? "right" : "wrong" }, isolated(text || "(nothing)"), " ",
      element("small", {}, captions ? "" : right ? "✓ " : "✗ ", said)),
  ];
}

function card(number, rows) {
  const example = data.examples[number];
  const captions = data.tasks[example.task].metric === "cider";
  return element("li", { class: "example" },
    element("div", { class: "pictures" }, example.images.map((_, place) => picture(example, place))),
    element("div", {},
      example.text ? element("p", { class: "question" }, isolated(example.text)) : null,
      element("dl", { class: "pairs" },
        rows.map(({ title, text, score, right }) => answer(title, text, score, right, captions)),
        element("dt", {}, captions ? "References" : "Expected"),
        element("dd", {}, example.references.flatMap((text, place) => [place ? (captions ? element("br") : ", ") : null, isolated(text)]))),
      element("p", { class: "kind" }, isolated([example.kind, `example ${example.id}`].filter(Boolean).join(", ")))));
}

const FILTERS = {
  alone: [["", "all"], ["right", "right ones"], ["wrong", "wrong ones"]],
  beside: [["", "where they differ"], ["first", "only the first is right"], ["second", "only the second is right"], ["all", "all"]],
};
const PASSES = {
  alone: { "": () => true, right: ([one]) => one.right, wrong: ([one]) => !one.right },
  beside: {
    "": ([one, two]) => one.right !== two.right,
    first: ([one, two]) => one.right && !two.right,
    second: ([one, two]) => !one.right && two.right,
    all: () => true,
  },
};

function rowsOf(keys, task) {
  const sides = keys.map((key) => {
    const list = answersOf(key, task);
    const right = judge(task, list);
    return new Map(list.map(([example, text, score]) => [example, {
      title: byKey.get(key).label, text: data.texts[text], score, right: right(score),
    }]));
  });
  return [...sides[0].keys()].filter((example) => sides.every((side) => side.has(example)))
    .map((example) => [example, sides.map((side) => side.get(example))]);
}

if (answers.size) {
  const section = reveal("predictions");
  const controls = element("div", { class: "controls", role: "group", "aria-label": "Which predictions" });
  const told = element("p", { class: "notes", "aria-live": "polite" });
  const list = element("ul", { class: "examples" });
  const more = element("button", { type: "button", click: () => state.set({ more: "1" }) });
  section.append(controls, told, list, more);
  const cells = [...answers.keys()].map((key) => byKey.get(key));
  const place = (cell) => `${cell.suite} on ${cell.backbone}`;
  const named = (cell) => [cell.key, `${cell.label} (${place(cell)})`];

  const redraw = () => {
    const cell = cells.find((each) => each.key === state.get("see")) ?? cells[0];
    const others = cells.filter((each) => each !== cell && place(each) === place(cell));
    const other = others.find((each) => each.key === state.get("with"));
    const tasks = [...new Set(answers.get(cell.key).map(([example]) => data.examples[example].task))];
    const task = tasks.includes(state.get("task")) ? state.get("task") : tasks[0];
    const mode = other ? "beside" : "alone";
    const chosen = state.get("show") in PASSES[mode] ? state.get("show") : "";
    const focused = [...controls.children].indexOf(document.activeElement?.closest(".choice"));
    controls.replaceChildren(
      choice("Row", cells.map(named), cell.key, (see) => state.set({ see, with: "" })),
      choice("Beside", [["", "no other row"], ...others.map((each) => [each.key, each.label])], other?.key ?? "", (key) => state.set({ with: key, show: "" })),
      choice("Task", tasks.map((name) => [name, data.tasks[name].title]), task, (name) => state.set({ task: name })),
      choice("Show", FILTERS[mode], chosen, (show) => state.set({ show })),
    );
    if (focused >= 0) controls.children[focused].querySelector("select").focus();
    const all = rowsOf([cell.key, ...(other ? [other.key] : [])], task);
    const kept = all.filter(([, rows]) => PASSES[mode][chosen](rows));
    const captions = data.tasks[task].metric === "cider";
    told.textContent = `${kept.length} of ${all.length} sampled examples, the same for all rows; seed ${cell.seed}.`
      + (captions ? " Captions are not right or wrong: the better half of a row counts as right." : "");
    const first = state.get("more") ? kept : kept.slice(0, FIRST);
    list.replaceChildren(...first.map(([example, rows]) => card(example, rows)));
    more.hidden = first.length === kept.length;
    more.textContent = `Show all ${kept.length}`;
  };
  let drawn = null;
  state.follow(() => {
    const wanted = ["see", "with", "task", "show", "more"].map((name) => state.get(name)).join("\n");
    if (wanted === drawn) return;
    drawn = wanted;
    redraw();
  });
}
