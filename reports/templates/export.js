// The visible rows and columns of a table as text for other programs.
function viewOf({ table, names, titles, bodies }) {
  const places = names.map((_, place) => place).filter((place) => !titles[place].hidden);
  const rows = bodies.flatMap(rowsIn).filter((row) => !row.hidden).map((row) => places.map((place) => {
    const cell = row.cells[place];
    if (!cell) return { text: "", value: "", symbols: "", mark: "" };
    const symbols = cell.querySelector(":scope > sup")?.textContent ?? "";
    const detail = cell.querySelector(":scope > .detail")?.textContent ?? "";
    const whole = cell.textContent.replace(/\s+/g, " ").trim();
    const text = whole.slice(0, whole.length - detail.trim().length).trim();
    return {
      text: symbols && text.endsWith(symbols) ? text.slice(0, -symbols.length) : text,
      value: cell.hasAttribute("data-hole") ? "" : cell.dataset.value ?? null,
      symbols,
      mark: cell.querySelector("strong") ? "best" : cell.querySelector("u") ? "second" : "",
    };
  }));
  return { titles: places.map((place) => names[place]), numbers: places.map((place) => titles[place].classList.contains("number")), rows };
}

// A spreadsheet would compute a text that begins like this.
function guarded(text) {
  return /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
}

function csv({ titles, rows }) {
  const field = (text) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lines = [titles.map(guarded), ...rows.map((row) => row.map(({ value, text }) => value ?? guarded(text)))];
  return `${lines.map((line) => line.map(field).join(",")).join("\n")}\n`;
}

function markdown({ titles, numbers, rows }) {
  const escaped = (text) => text.replace(/[\\`*_[\]<>|~$#&]/g, "\\$&");
  const marked = { best: (text) => `**${text}**`, second: (text) => `<u>${text}</u>`, "": (text) => text };
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return `${[
    line(titles.map(escaped)),
    line(numbers.map((number) => (number ? "---:" : ":---"))),
    ...rows.map((row) => line(row.map(({ text, symbols, mark }) => marked[mark](escaped(text)) + symbols))),
  ].join("\n")}\n`;
}

// As in reports/latex.py.
const TEX = {
  "\\": "\\textbackslash{}", "{": "\\{", "}": "\\}", "$": "\\$", "&": "\\&", "#": "\\#", "%": "\\%", "_": "\\_",
  "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "<": "\\textless{}", ">": "\\textgreater{}",
  "|": "\\textbar{}", "\"": "\\symbol{34}", "`": "\\textasciigrave{}", "[": "{[}", "*": "{*}", "–": "\\textendash{}",
  "−": "$-$", "±": "$\\pm$", "×": "$\\times$", "·": "$\\cdot$", "→": "$\\rightarrow$", "∞": "$\\infty$",
  "…": "\\ldots{}", "†": "$\\dagger$", "‡": "$\\ddagger$", "§": "\\S{}", "¶": "\\P{}", "≈": "$\\approx$",
  "◇": "$\\diamond$", "∗": "$\\ast$", "∘": "$\\circ$", "‖": "$\\parallel$", "²": "\\textsuperscript{2}",
  "Σ": "$\\Sigma$"
};

function latex({ titles, numbers, rows }) {
  const escaped = (text) => [...text].map((letter) => TEX[letter] ?? letter).join("").replace(/(['-])(?=\1)/g, "$1{}");
  const marked = { best: (text) => `\\textbf{${text}}`, second: (text) => `\\underline{${text}}`, "": (text) => text };
  const raised = (symbols) => (symbols ? `\\textsuperscript{${escaped(symbols)}}` : "");
  const line = (cells) => `${cells.join(" & ")} \\\\`;
  return `${[
    "% \\usepackage{booktabs}",
    `\\begin{tabular}{${numbers.map((number) => (number ? "r" : "l")).join("")}}`,
    "\\toprule",
    line(titles.map(escaped)),
    "\\midrule",
    ...rows.map((row) => line(row.map(({ text, symbols, mark }) => marked[mark](escaped(text)) + raised(symbols)))),
    "\\bottomrule",
    "\\end{tabular}",
  ].join("\n")}\n`;
}

const FORMATS = { CSV: [csv, "csv"], Markdown: [markdown, "md"], LaTeX: [latex, "tex"] };

function take(entry) {
  const view = viewOf(entry);
  const area = element("textarea", { readonly: true, rows: 14, "aria-label": "The table as text", spellcheck: "false" });
  let format = "CSV";
  const fill = () => { area.value = FORMATS[format][0](view); };
  const copying = element("button", { type: "button", click: () => copy(area.value, copying) }, "Copy");
  const saving = element("button", { type: "button", click: () => {
    const address = URL.createObjectURL(new Blob([area.value], { type: "text/plain;charset=utf-8" }));
    element("a", { href: address, download: `${entry.name.replaceAll("/", "-")}.${FORMATS[format][1]}` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  } }, "Save");
  const window = element("dialog", { class: "take", "aria-label": "Take this view", close: () => window.remove() },
    element("div", { class: "controls" },
      choice("Format", Object.keys(FORMATS).map((name) => [name, name]), format, (name) => { format = name; fill(); }),
      copying, saving,
      element("button", { type: "button", click: () => window.close() }, "Close")),
    element("p", { class: "notes" }, `${view.rows.length} rows, ${view.titles.length} columns, as they are shown.`),
    area);
  document.body.append(window);
  fill();
  window.showModal();
}
