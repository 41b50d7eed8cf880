// The charts of each board; what they show follows the filters and the address.
function chart(title, note, ...content) {
  return element("figure", { class: "explored" }, element("h3", {}, title), ...content, element("figcaption", {}, note));
}

for (const board of data.boards) {
  const section = document.getElementById(board.name);
  const hosts = [];
  const host = (draw) => {
    hosts.push([element("div", { class: "host" }), draw]);
    return hosts.at(-1)[0];
  };
  const chosenTask = () => board.tasks.find(([name]) => name === state.get("quality")) ?? board.tasks[0];
  const chosenAxis = () => board.axes.find(([name]) => name === state.get("cost")) ?? board.axes[0];
  const told = element("p", { class: "told", "aria-live": "polite" }, DETAIL);
  const figures = [];
  if (board.axes.length && board.tasks.length) {
    const controls = element("div", { class: "controls" },
      choice("Quality", board.tasks.map(([name, title]) => [name, title]), chosenTask()[0], (quality) => state.set({ quality })),
      choice("Cost", board.axes.map(([name, title]) => [name, title]), chosenAxis()[0], (cost) => state.set({ cost })));
    figures.push(chart("Quality against cost",
      "Filled circles: tuning methods; open squares: full fine-tuning and projection; crosses: controls. The line joins the rows "
      + "that no other row beats in both (the Pareto front). Whiskers: 95 % interval, by a bootstrap over seeds and images where predictions are stored, else by Student's t over the seeds; wide ones are cut at the frame.",
      controls, told, host((width) => plot(board, chosenTask(), chosenAxis(), width, told))));
    state.follow(() => {
      const [quality, cost] = controls.querySelectorAll("select");
      quality.value = chosenTask()[0];
      cost.value = chosenAxis()[0];
    });
  }
  const single = board.tasks.filter(([name]) => name);
  if (single.length) {
    figures.push(chart("Task by task",
      "Open bars: reference rows and controls. Whiskers as above. The dashed line is the highest floor of the task.",
      element("div", { class: "panels" }, single.map((task) => host((width) => bars(board, task, width))))));
  }
  if (board.ranks) {
    figures.push(chart("Mean rank",
      `Mean over ${board.ranks.tasks} tasks of the rank among ${board.ranks.rows.length} ranked rows. Rows outside the tinted band are worse than the first `
      + `by more than Nemenyi's critical difference, ${board.ranks.critical.toFixed(2)} ranks at 5 %; those inside cannot be told from it by ranks over so few tasks.`
      + (board.ranks.rows.some((row) => row.length > 2) ? " Whiskers: 95 % interval of the mean rank." : ""),
      host((width) => ranks(board, width))));
  }
  const still = section.querySelector("figure");
  if (still && figures.length) still.replaceWith(...figures);
  else (section.querySelector(".notes") ?? section.lastElementChild).after(...figures);
  const redraws = hosts.map(([place, draw]) => responsive(place, draw));
  follow(() => ["quality", "cost", "q", ...FACETS].map((name) => state.get(name)).join("\n"), () => redraws.forEach((redraw) => redraw()));
}
