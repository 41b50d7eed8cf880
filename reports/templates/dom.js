const data = JSON.parse(document.getElementById("data").textContent);

// Elements from plain values. Texts become text nodes, so nothing that they hold is ever read as markup.
function element(tag, attributes = {}, ...children) {
  const made = tag.startsWith("svg:")
    ? document.createElementNS("http://www.w3.org/2000/svg", tag.slice(4))
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") made.addEventListener(name, value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return made;
}

function isolated(text) {
  return element("bdi", {}, text);
}

function definitions(pairs) {
  return element("dl", { class: "pairs" }, pairs.map(([name, value]) => [
    element("dt", {}, isolated(name)), element("dd", {}, isolated(value)),
  ]));
}

function choice(title, options, chosen, change) {
  const select = element("select", { "aria-label": title, change: () => change(select.value) }, options.map(([value, text]) =>
    element("option", { value, selected: value === chosen }, text)));
  return element("label", { class: "choice" }, element("span", {}, title), select);
}

async function copy(text, button) {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not permitted here: select and copy";
  }
  setTimeout(() => { button.textContent = before; }, 2500);
}
