// What is chosen on the page stands in the address after #, so that a view can be passed on as a link.
const state = {
  values: read(),
  listeners: [],

  get(name) {
    return this.values.get(name) ?? "";
  },

  set(changes) {
    for (const [name, value] of Object.entries(changes)) {
      if (value) this.values.set(name, value);
      else this.values.delete(name);
    }
    const text = new URLSearchParams([...this.values]).toString();
    history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
    this.tell();
  },

  follow(listener) {
    this.listeners.push(listener);
    listener();
  },

  tell() {
    for (const listener of this.listeners) listener();
  },
};

function read() {
  const text = location.hash.slice(1);
  return new Map(text && !text.includes("=") ? [["at", text]] : new URLSearchParams(text));
}

function show(anchor) {
  const target = document.getElementById(anchor);
  if (!target) return;
  target.setAttribute("tabindex", "-1");
  target.focus({ preventScroll: true });
  target.scrollIntoView();
}

addEventListener("hashchange", () => {
  state.values = read();
  state.tell();
});

// A link to a section must not throw away what else the address holds.
document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#"]');
  if (!link) return;
  event.preventDefault();
  const anchor = link.getAttribute("href").slice(1);
  state.set({ at: anchor });
  show(anchor);
});
