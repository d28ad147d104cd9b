/**
 * PruningExplorer: a layer's weights under a mask, and what is left: magnitude, bytes, accuracy.
 *
 * Three parts, top to bottom, after explorer.js, whose helpers they use:
 *   1. arithmetic  pixels of the heat map; what a click on a neuron does (masks and results are Python's)
 *   2. text        numbers and sentences to show
 *   3. view        the DOM, and `render` for anywidget
 *
 * Parts 1 and 2 touch no DOM and are exported, so that tests run them in Node against Python.
 */

// ── 1. arithmetic ────────────────────────────────────────────────────────────────────────────────────────────

// Red, green, blue of negative and positive weights on a light and on a dark ground, shades of Okabe and Ito's palette.
export const PALETTES = Object.freeze({
  light: [
    [0, 114, 178],
    [194, 82, 0],
  ],
  dark: [
    [108, 192, 242],
    [255, 154, 87],
  ],
});
const FAINTEST = 0.3; // opacity of the smallest weight: only what is dropped has no colour at all

function bytes(base64) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

/** Weights as −127 … 127, from Python's text. */
export function levelsOf(base64) {
  return [...new Int8Array(bytes(base64).buffer)];
}

/** True where a weight is kept, from Python's packed bits. */
export function maskOf(base64, count) {
  const packed = bytes(base64);
  return Array.from({ length: count }, (_, i) => ((packed[i >> 3] >> (7 - (i & 7))) & 1) === 1);
}

/** Red, green, blue, opacity of each weight, 0 to 255; nothing is painted where it is dropped. */
export function pixels(levels, mask, [negative, positive]) {
  return levels.flatMap((level, i) => {
    if (!level || !mask[i]) return [0, 0, 0, 0];
    const opacity = FAINTEST + (1 - FAINTEST) * (Math.abs(level) / 127);
    return [...(level < 0 ? negative : positive), Math.round(255 * opacity)];
  });
}

/** Whether a neuron is pruned: as the hand says, else as the ranking does. */
export function isPruned({ layer, by_hand: byHand }, rankedOut, neuron) {
  const keep = byHand[layer]?.[neuron];
  return keep === undefined ? rankedOut.includes(neuron) : !keep;
}

/** What `by_hand` becomes when a neuron is clicked; nothing is noted where the ranking says the same. */
export function clicked(setting, rankedOut, neuron) {
  const { layer, by_hand: byHand } = setting;
  const keep = isPruned(setting, rankedOut, neuron);
  const { [neuron]: _, ...others } = byHand[layer] ?? {};
  const own = keep === rankedOut.includes(neuron) ? { ...others, [neuron]: keep } : others;
  const { [layer]: __, ...rest } = byHand;
  return Object.keys(own).length ? { ...rest, [layer]: own } : rest;
}

/** What was changed by hand, in an order of its own. */
export function handwork(byHand) {
  const all = Object.entries(byHand).flatMap(([layer, own]) => Object.entries(own).map((each) => [layer, ...each]));
  return all.map((each) => each.join(" ")).sort();
}

export function sameSetting(one, other) {
  const key = ({ structure, sparsity, layer, by_hand: byHand }) =>
    JSON.stringify([structure, sparsity, layer, handwork(byHand)]);
  return key(one) === key(other);
}

// ── 2. text ──────────────────────────────────────────────────────────────────────────────────────────────────

export function percent(share, digits = 1) {
  return `${(100 * share).toFixed(digits)} %`;
}

/** What a structure takes, and of what. */
export function settingText({ structure, sparsity }) {
  return {
    connections: `${sparsity} % of the connections, in each layer`,
    neurons: `${sparsity} % of the neurons, in each hidden layer`,
    "2:4": "50 %, two of four neighbours along the inputs",
    global: `${sparsity} % of the connections, all layers ranked together`,
  }[structure];
}

/** A neuron, and where it stands among the others of its layer. */
export function neuronText(setting, rankedOut, scores, neuron) {
  const pruned = isPruned(setting, rankedOut, neuron);
  const byHand = setting.by_hand[setting.layer]?.[neuron] !== undefined;
  const rank = 1 + scores.filter((score) => score < scores[neuron]).length;
  const fate = `${pruned ? "pruned" : "kept"}${byHand ? " by hand" : ""}`;
  return `Neuron ${neuron}: ${fate}. Score ${scores[neuron].toPrecision(3)}, number ${rank} of ${scores.length} from the lowest.`;
}

/** The result of a setting, in a sentence. */
export function summary({ setting, model, accuracy }, denseAccuracy) {
  const changed = handwork(setting.by_hand).length;
  const hand = changed ? `, ${changed} ${changed === 1 ? "neuron" : "neurons"} by hand` : "";
  const zeros = `${integer(model.zeros)} of ${integer(model.weights)} weights are 0`;
  const kept = `${percent(model.magnitude)} of the magnitude kept`;
  return `${settingText(setting)}${hand}: ${zeros}, ${kept}, accuracy ${percent(accuracy)}, dense ${percent(denseAccuracy)}.`;
}

// ── 3. view ──────────────────────────────────────────────────────────────────────────────────────────────────

const PATIENCE_MS = 1500;
const FORMS = ["dense", "gzip", "bitmap", "csr", "cut"];
const HOW_TO = "Click a column, or press Enter on it, to prune its neuron or to bring it back.";

function settingOf(model) {
  return Object.fromEntries(["structure", "sparsity", "layer", "by_hand"].map((name) => [name, model.get(name)]));
}

/** A picture in two palettes, of which the style sheet shows one: so it follows the theme at once. */
class Picture {
  constructor() {
    this.canvases = Object.keys(PALETTES).map((name) => h("canvas", { class: `pe-picture pe-${name}`, "aria-hidden": "true" }));
  }

  paint(width, height, levels, mask) {
    Object.values(PALETTES).forEach((palette, i) => {
      Object.assign(this.canvases[i], { width, height });
      const image = new ImageData(Uint8ClampedArray.from(pixels(levels, mask, palette)), width, height);
      this.canvases[i].getContext("2d").putImageData(image, 0, 0);
    });
  }
}

/** The weights of the layer; over each column a button for its neuron. */
class HeatMap {
  constructor(model, onClick) {
    Object.assign(this, { model, onClick, buttons: [], layer: null });
    this.picture = new Picture();
    this.neurons = h("div", { class: "pe-neurons", role: "group" });
    this.title = h("h4", { class: "hb-name" });
    this.words = h("p", { class: "hb-help pe-words" });
    this.low = h("span");
    this.high = h("span");
    const scale = new Picture();
    const levels = Array.from({ length: 255 }, (_, i) => i - 127);
    scale.paint(255, 1, levels, levels.map(() => true));
    this.element = h(
      "section",
      { class: "hb-panel", "aria-label": "Weights and mask" },
      h(
        "div",
        { class: "pe-caption" },
        this.title,
        h("div", { class: "hb-help pe-legend" }, this.low, h("div", { class: "pe-scale" }, ...scale.canvases), this.high),
        h("span", { class: "hb-help" }, "blank: dropped"),
      ),
      h("div", { class: "pe-map" }, ...this.picture.canvases, this.neurons),
      this.words,
    );
    this.neurons.addEventListener("keydown", (event) => this.onKey(event));
    for (const kind of ["focusin", "focusout", "mouseover", "mouseleave"]) {
      this.neurons.addEventListener(kind, (event) => this.point(/in|over/.test(kind) ? event.target : null));
    }
  }

  get shape() {
    return this.model.get("shapes").find(([name]) => name === this.layer).slice(1);
  }

  /** New buttons, one for each neuron, of which one can be reached with the tab key. */
  rebuild() {
    const [inputs, units] = this.shape;
    const hidden = this.model.get("kernel").scores.length > 0;
    this.buttons = Array.from({ length: units }, (_, neuron) => {
      const element = h("button", { type: "button", class: "pe-neuron", "aria-label": `Prune neuron ${neuron}`, tabindex: -1 });
      element.disabled = !hidden;
      element.addEventListener("click", () => this.onClick(neuron));
      return element;
    });
    this.buttons[0].tabIndex = 0;
    this.neurons.style.gridTemplateColumns = `repeat(${units}, 1fr)`;
    this.neurons.replaceChildren(...this.buttons);
    this.neurons.setAttribute("aria-label", `Neurons of ${this.layer}`);
    this.levels = levelsOf(this.model.get("kernel").levels);
    const reach = this.model.get("kernel").reach.toPrecision(2);
    setText(this.title, `${this.layer}: ${inputs} inputs (rows) × ${units} ${hidden ? "neurons" : "outputs"} (columns)`);
    setText(this.low, `−${reach}`);
    setText(this.high, reach);
    this.pointed = null;
  }

  onKey(event) {
    const at = this.buttons.indexOf(event.target);
    const last = this.buttons.length - 1;
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, PageUp: at - 10, PageDown: at + 10, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = this.buttons[Math.min(Math.max(to, 0), last)];
    event.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }

  point(target) {
    const at = this.buttons.indexOf(target);
    this.pointed = at < 0 ? null : at;
    this.describe();
  }

  describe() {
    const { ranked_out: rankedOut } = this.model.get("outcome");
    const { scores } = this.model.get("kernel");
    const setting = { ...settingOf(this.model), layer: this.layer };
    const what = this.pointed === null ? HOW_TO : neuronText(setting, rankedOut, scores, this.pointed);
    setText(this.words, scores.length ? what : "The outputs of the network cannot be pruned; their connections can.");
  }

  /** `setting` is that of the controls, for the buttons; the picture is Python's answer. */
  show(setting) {
    const { setting: answered, ranked_out: rankedOut, mask } = this.model.get("outcome");
    if (this.layer !== answered.layer) {
      this.layer = answered.layer;
      this.rebuild();
    }
    const [inputs, units] = this.shape;
    this.picture.paint(units, inputs, this.levels, maskOf(mask, inputs * units));
    const own = { ...setting, layer: this.layer };
    this.buttons.forEach((button, neuron) => {
      button.setAttribute("aria-pressed", isPruned(own, rankedOut, neuron));
      button.classList.toggle("pe-by-hand", setting.by_hand[this.layer]?.[neuron] !== undefined);
    });
    this.describe();
  }
}

/** What is left, of the layer and of all layers. */
class Results {
  constructor(model) {
    this.model = model;
    this.rows = {};
    this.head = h("th", { scope: "col", class: "hb-number" });
    const body = h("tbody");
    for (const [key, label] of [
      ["accuracy", "accuracy, not retrained"],
      ["unpruned", "accuracy without a mask"],
      ["zeros", "weights that are 0"],
      ["sparsity", "sparsity"],
      ["magnitude", "magnitude kept, share of Σ|w|"],
      ["dense", "bytes, dense"],
      ["gzip", "bytes, gzip"],
      ["bitmap", "bytes, bitmap"],
      ["csr", "bytes, CSR"],
      ["cut", "bytes, without pruned neurons"],
    ]) {
      const cells = [h("td", { class: "hb-number" }), h("td", { class: "hb-number" })];
      const track = h("td", { class: "pe-track", "aria-hidden": "true" });
      this.rows[key] = { cells, track };
      body.append(h("tr", { "data-row": key }, h("th", { scope: "row" }, label), ...cells, track));
    }
    for (const form of FORMS) {
      const bar = h("span", { class: "pe-bar" });
      this.rows[form].track.append(bar);
      this.rows[form].bar = bar;
    }
    this.note = h("p", { class: "hb-help pe-note" });
    const heads = [h("td"), this.head, h("th", { scope: "col", class: "hb-number" }, "all layers"), h("td", { "aria-hidden": "true" })];
    this.table = h("table", { class: "hb-table" }, h("caption", { class: "hb-hidden" }, "What is left"), h("thead", {}, h("tr", {}, ...heads)), body);
    this.element = h(
      "section",
      { class: "hb-panel", "aria-label": "What is left" },
      h("h4", { class: "hb-name" }, "What is left"),
      this.table,
      this.note,
    );
  }

  show() {
    const { setting, layer, model, accuracy } = this.model.get("outcome");
    setText(this.head, setting.layer);
    const write = (key, texts) => texts.forEach((text, i) => setText(this.rows[key].cells[i], text));
    const both = (key, text) => write(key, [layer, model].map(text));
    both("zeros", ({ zeros, weights }) => `${integer(zeros)} of ${integer(weights)}`);
    both("sparsity", ({ zeros, weights }) => percent(zeros / weights, 2));
    both("magnitude", ({ magnitude }) => percent(magnitude));
    for (const form of FORMS) {
      both(form, (left) => integer(left.bytes[form]));
      // CSR may take twice the bytes of the dense form, and a little more for its row pointers.
      this.rows[form].bar.style.width = `${(45 * model.bytes[form]) / model.bytes.dense}%`;
    }
    write("accuracy", ["", percent(accuracy)]);
    write("unpruned", ["", percent(this.model.get("dense_accuracy"))]);
  }

  /** Says that the numbers are those of an earlier setting, and which. */
  wait(waiting) {
    this.table.classList.toggle("pe-stale", waiting);
    const old = settingText(this.model.get("outcome").setting);
    setText(this.note, waiting ? `Python does not answer: run the cell again. Shown is the result for ${old}.` : "");
  }
}

function render({ model, el }) {
  const prefix = ownPrefix();
  let patience = null;
  const isWaiting = () => !sameSetting(settingOf(model), model.get("outcome").setting);
  const change = (name) => (value) => {
    model.set(name, value);
    model.save_changes();
  };

  const kinds = ["connections", "neurons", "2:4", "global"].map((name) => [name, name]);
  const structure = choice(`${prefix}-structure`, "Prune", kinds, change("structure"));
  const sparsity = slider(`${prefix}-sparsity`, "Sparsity", { min: 0, max: 100, step: 1 }, change("sparsity"));
  const names = model.get("shapes").map(([name]) => [name, name]);
  const layer = choice(`${prefix}-layer`, "Show", names, change("layer"));
  const undo = button("Undo clicks", "every neuron as the ranking says", () => change("by_hand")({}));
  const map = new HeatMap(model, (neuron) => {
    const setting = { ...settingOf(model), layer: map.layer };
    change("by_hand")(clicked(setting, model.get("outcome").ranked_out, neuron));
  });
  const results = new Results(model);
  const status = announcer(() => summary(model.get("outcome"), model.get("dense_accuracy")));

  const show = () => {
    const setting = settingOf(model);
    const fixed = setting.structure === "2:4";
    structure.show(setting.structure);
    sparsity.show(fixed ? 50 : setting.sparsity, settingText(setting));
    sparsity.input.disabled = fixed;
    layer.show(setting.layer);
    undo.disabled = !handwork(setting.by_hand).length;
    map.show(setting);
    clearTimeout(patience);
    if (isWaiting()) patience = setTimeout(() => results.wait(true), PATIENCE_MS);
    else results.wait(false);
  };
  const showOutcome = () => {
    results.show();
    show();
    status.soon();
  };

  keepKeys(el);
  el.append(
    h(
      "div",
      { class: "hb-explorer pruning-explorer" },
      h("div", { class: "hb-head hb-columns" }, structure.element, layer.element, sparsity.element, h("div", { class: "pe-undo" }, undo)),
      map.element,
      results.element,
      status.element,
    ),
  );
  const unwatch = [watch(model, ["structure", "sparsity", "layer", "by_hand"], show), watch(model, ["outcome"], showOutcome)];
  results.show();
  show();
  return () => {
    clearTimeout(patience);
    status.stop();
    for (const stop of unwatch) stop();
  };
}

export default { render };
