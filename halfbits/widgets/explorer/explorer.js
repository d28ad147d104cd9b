/**
 * What the explorers share: text, elements, controls, and how a widget is put together and taken apart.
 *
 * Each explorer's own file is appended to this one (see explorer.py), so nothing here is exported.
 */

// ── text ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** An integer power of a base, with superscripts. */
function powerOf(base, exponent) {
  const digits = [...String(Math.abs(exponent))].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]);
  return `${base}${exponent < 0 ? "⁻" : ""}${digits.join("")}`;
}

/** A whole number with its thousands marked. */
function integer(number) {
  return number.toLocaleString("en-US");
}

// ── elements ─────────────────────────────────────────────────────────────────────────────────────────────────

function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Makes the ids of each view on the page its own; a counter would not, where each widget loads this file afresh. */
function ownPrefix() {
  return `hb-${Math.random().toString(36).slice(2)}`;
}

// ── controls ─────────────────────────────────────────────────────────────────────────────────────────────────

/** A slider with its label and value. */
function slider(id, label, attributes, onInput) {
  const input = h("input", { type: "range", class: "hb-range", id, ...attributes });
  const value = h("output", { class: "hb-value", for: id });
  input.addEventListener("input", () => onInput(Number(input.value)));
  const element = h("div", { class: "hb-control" }, h("label", { class: "hb-label", for: id }, label), value, input);
  const show = (number, spoken, written = spoken) => {
    input.value = number;
    input.setAttribute("aria-valuetext", spoken);
    setText(value, written);
  };
  return { element, input, show };
}

/** Radio buttons for a switch: labels and their values. */
function choice(name, legend, options, onPick) {
  const inputs = options.map(([, value], i) => {
    const input = h("input", { type: "radio", name, id: `${name}-${i}` });
    input.addEventListener("change", () => input.checked && onPick(value));
    return input;
  });
  const labels = inputs.map((input, i) => h("label", { for: input.id }, input, options[i][0]));
  const element = h("fieldset", { class: "hb-choice" }, h("legend", { class: "hb-label" }, legend), ...labels);
  return { element, show: (value) => inputs.forEach((input, i) => (input.checked = options[i][1] === value)) };
}

function button(label, title, onClick) {
  const element = h("button", { type: "button", class: "hb-button", title }, label);
  element.addEventListener("click", onClick);
  return element;
}

// ── tables ───────────────────────────────────────────────────────────────────────────────────────────────────

/** A table whose column heads and caption only a screen reader hears. */
function plainTable(caption, heads, body) {
  return h(
    "table",
    { class: "hb-table" },
    h("caption", { class: "hb-hidden" }, caption),
    h("thead", { class: "hb-hidden" }, h("tr", {}, ...heads.map((head) => h("th", { scope: "col" }, head)))),
    body,
  );
}

// ── life ─────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Keeps keys pressed in `element` from JupyterLab, which listens on the document and, in its command mode, takes arrow keys and
 * Enter for itself wherever nothing is typed. Its own shortcuts with Ctrl, Alt or Meta still reach it.
 */
function keepKeys(element) {
  element.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.altKey && !event.metaKey) event.stopPropagation();
  });
}

/** Tells a screen reader the result of a change when the hand rests, not every frame of a drag. */
function announcer(text) {
  const element = h("div", { class: "hb-hidden", role: "status" });
  let pending = null;
  return {
    element,
    soon() {
      clearTimeout(pending);
      pending = setTimeout(() => setText(element, text()), 500);
    },
    stop: () => clearTimeout(pending),
  };
}

/** Calls `show` when one of these traits changes, until the function that comes out is called. */
function watch(model, names, show) {
  for (const name of names) model.on(`change:${name}`, show);
  return () => {
    for (const name of names) model.off(`change:${name}`, show);
  };
}
