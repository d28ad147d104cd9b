/**
 * QuantizationExplorer: a layer's weights, the quantization grid over them, its error, and the model's accuracy.
 *
 * Three parts, top to bottom, after explorer.js, whose helpers they use:
 *   1. arithmetic  the grid for a range; the row of the table for a setting
 *   2. text        numbers and sentences to show
 *   3. view        the DOM, and `render` for anywidget
 *
 * Parts 1 and 2 touch no DOM and are exported, so that tests run them in Node against Python.
 */

// ── 1. arithmetic ────────────────────────────────────────────────────────────────────────────────────────────

export const BITS = Object.freeze({ min: 2, max: 8 });
export const CLIPS = Object.freeze(Array.from({ length: 19 }, (_, i) => 10 + 5 * i)); // percent

/** The grid for a range: its scale, zero-point and integers, and the numbers at its ends. See halfbits.quantization. */
export function grid([min, max], { bits, clip, symmetric }) {
  const [low, high] = [Math.min(min, 0), Math.max(max, 0)];
  const share = clip / 100;
  const qmax = symmetric ? 2 ** (bits - 1) - 1 : 2 ** bits - 1;
  const qmin = symmetric ? -qmax : 0;
  const scale = (symmetric ? (share * Math.max(-low, high)) / qmax : (share * (high - low)) / qmax) || 1;
  const zero = symmetric ? 0 : Math.floor((-share * low) / scale + 0.5);
  return { scale, zero, qmin, qmax, low: scale * (qmin - zero), high: scale * (qmax - zero) };
}

/** Every number of a grid, in ascending order. */
export function levels({ scale, zero, qmin, qmax }) {
  return Array.from({ length: qmax - qmin + 1 }, (_, i) => scale * (qmin + i - zero));
}

/** The row of the table for a setting: rounding error, clipping error, accuracy. */
export function row(table, { bits, clip, symmetric, perChannel }) {
  const place = (bits - BITS.min) * CLIPS.length + CLIPS.indexOf(clip);
  const [rounding, clipping, accuracy] = table[4 * place + 2 * symmetric + 1 * perChannel];
  return { rounding, clipping, accuracy };
}

/** The signal-to-quantization-noise ratio in dB. */
export function sqnr(signal, { rounding, clipping }) {
  return signal ? 10 * Math.log10(signal / (rounding + clipping)) : Infinity;
}

// ── 2. text ──────────────────────────────────────────────────────────────────────────────────────────────────

export function errorText(value) {
  if (value === 0) return "0";
  const [digits, exponent] = value.toExponential(2).split("e");
  return `${digits} × ${powerOf(10, Number(exponent))}`;
}

export function decibels(value) {
  return Number.isFinite(value) ? `${value.toFixed(1)} dB` : "∞ dB";
}

export function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}

/** A number of the axis, short. */
export function short(value) {
  return String(Number(value.toPrecision(3))).replace("-", "−");
}

/** What grid it is, in words. */
export function gridText({ scale, zero, qmin, qmax, low, high }) {
  const ends = `${qmax - qmin + 1} levels from ${short(low)} to ${short(high)}`;
  return `${ends}; scale ${short(scale)}, zero-point ${zero}`;
}

/** A setting, in words. */
export function settingText({ bits, clip, symmetric, perChannel }) {
  const kind = `${symmetric ? "symmetric" : "asymmetric"}, per ${perChannel ? "channel" : "tensor"}`;
  return `${bits} bits, ${kind}, ${clip} % of the range`;
}

/** The result of a setting, in a sentence. */
export function summary(setting, found, signal, floatAccuracy) {
  const errors = `rounding error ${errorText(found.rounding)}, clipping error ${errorText(found.clipping)}`;
  const accuracy = `accuracy ${percent(found.accuracy)}, in float ${percent(floatAccuracy)}`;
  return `${settingText(setting)}: ${errors}, SQNR ${decibels(sqnr(signal, found))}, ${accuracy}.`;
}

// ── 3. view ──────────────────────────────────────────────────────────────────────────────────────────────────

const WIDTH = 820;
const HIST = { left: 8, right: 8, top: 22, bottom: 24, height: 230 };
const STRIP = { left: 46, right: 8, top: 8, bottom: 20, height: 140 };
const DECADES = 7;
const CHART = { width: 450, left: 52, right: 12, top: 22, bottom: 36, height: 190 };

function settingOf(model) {
  return {
    bits: model.get("bits"),
    clip: model.get("clip"),
    symmetric: model.get("symmetric"),
    perChannel: model.get("per_channel"),
  };
}

/** The range of the whole layer. */
function wholeRange(model) {
  const ranges = model.get("ranges");
  return [Math.min(...ranges.map(([low]) => low)), Math.max(...ranges.map(([, high]) => high))];
}

/** The weights, of the layer or of one channel, and the grid over them. */
class Histogram {
  constructor(model, prefix) {
    Object.assign(this, { model, prefix });
    this.bars = svg("g");
    this.lines = svg("path", { class: "hb-line qe-level" });
    this.outside = svg("g");
    this.canvas = svg(
      "svg",
      { class: "hb-canvas", viewBox: `0 0 ${WIDTH} ${HIST.height}`, role: "img" },
      svg(
        "defs",
        {},
        svg(
          "pattern",
          { id: `${prefix}-hatch`, width: 7, height: 7, patternUnits: "userSpaceOnUse" },
          svg("path", { d: "M0 7L7 0M-1 1L1 -1M6 8L8 6", class: "hb-line qe-hatch" }),
        ),
      ),
      this.bars,
      this.lines,
      this.outside,
      this.axis(),
    );
    this.title = h("h4", { class: "hb-name" });
    this.words = h("p", { class: "hb-help" });
    this.element = h("section", { class: "hb-panel", "aria-label": "Weights and grid" }, this.title, this.canvas, this.words);
  }

  x(value) {
    const [low, high] = this.model.get("edges");
    return HIST.left + ((value - low) / (high - low)) * (WIDTH - HIST.left - HIST.right);
  }

  axis() {
    const floor = HIST.height - HIST.bottom;
    const [, high] = this.model.get("edges");
    const group = svg("g", {}, svg("path", { d: `M${HIST.left} ${floor}H${WIDTH - HIST.right}`, class: "hb-line" }));
    const step = niceStep(high);
    for (let i = -Math.floor(high / step); i <= high / step; i += 1) {
      const x = this.x(i * step);
      group.append(
        svg("path", { d: `M${x} ${floor}v4`, class: "hb-line" }),
        svg("text", { x, y: floor + 17, class: "hb-middle" }, short(i * step)),
      );
    }
    return group;
  }

  show(setting) {
    const { model } = this;
    const channel = model.get("channel");
    const all = model.get("counts");
    const counts = setting.perChannel ? all[channel] : all[0].map((_, bin) => all.reduce((sum, c) => sum + c[bin], 0));
    const range = setting.perChannel ? model.get("ranges")[channel] : wholeRange(model);
    const found = grid(range, setting);
    const [low, high] = model.get("edges");
    const width = (high - low) / counts.length;
    const floor = HIST.height - HIST.bottom;
    const most = Math.max(1, ...counts);
    this.bars.replaceChildren(
      ...counts.flatMap((count, bin) => {
        if (!count) return [];
        const height = (count / most) * (floor - HIST.top);
        const x = this.x(low + bin * width);
        return [svg("rect", { x, y: floor - height, width: this.x(low + width) - this.x(low), height, class: "qe-bar" })];
      }),
    );
    const places = levels(found).filter((level) => level >= low && level <= high);
    this.lines.setAttribute("d", places.map((level) => `M${this.x(level).toFixed(2)} ${HIST.top}V${floor}`).join(""));
    this.lines.classList.toggle("qe-dense", places.length > 40);
    this.outside.replaceChildren(
      ...this.zone(low, found.low, range[0] < found.low),
      ...this.zone(found.high, high, range[1] > found.high),
    );
    const what = setting.perChannel ? `channel ${channel} of ${model.get("layer")}` : `${model.get("layer")}, all channels`;
    const total = counts.reduce((sum, count) => sum + count, 0).toLocaleString("en-US");
    setText(this.title, `Weights of ${what}`);
    setText(this.words, `${total} weights from ${short(range[0])} to ${short(range[1])}. The grid: ${gridText(found)}.`);
    this.canvas.setAttribute("aria-label", `Histogram of ${what}. ${this.words.textContent}`);
  }

  /** What lies outside the grid; hatched, and named where weights lie there. */
  zone(from, to, holdsWeights) {
    const [left, right] = [this.x(from), this.x(to)];
    if (right - left < 1 || !holdsWeights) return [];
    const floor = HIST.height - HIST.bottom;
    return [
      svg("rect", { x: left, y: HIST.top, width: right - left, height: floor - HIST.top, fill: `url(#${this.prefix}-hatch)` }),
      svg("text", { x: (left + right) / 2, y: HIST.top - 7, class: "hb-middle hb-strong qe-outside" }, "clipped"),
    ];
  }
}

/** A round step that cuts 0 … high into two to five parts. */
function niceStep(high) {
  const unit = 10 ** Math.floor(Math.log10(high));
  return [0.2, 0.5, 1, 2].map((part) => part * unit).find((step) => high / step <= 5);
}

/** Every channel: from its smallest to its largest weight, and what its grid covers. */
class Strip {
  constructor(model) {
    this.model = model;
    this.drawing = svg("g");
    this.canvas = svg("svg", { class: "hb-canvas", viewBox: `0 0 ${WIDTH} ${STRIP.height}`, role: "img" }, this.drawing);
    this.words = h("p", { class: "hb-help" });
    this.element = h(
      "section",
      { class: "hb-panel", "aria-label": "Channels" },
      h("h4", { class: "hb-name" }, "Channels"),
      this.canvas,
      this.words,
    );
  }

  x(channel) {
    const all = this.model.get("ranges").length;
    return STRIP.left + ((channel + 0.5) / all) * (WIDTH - STRIP.left - STRIP.right);
  }

  y(value) {
    const [low, high] = this.model.get("edges");
    return STRIP.top + ((high - value) / (high - low)) * (STRIP.height - STRIP.top - STRIP.bottom);
  }

  show(setting) {
    const { model } = this;
    const ranges = model.get("ranges");
    const whole = wholeRange(model);
    const slot = (WIDTH - STRIP.left - STRIP.right) / ranges.length;
    const grids = ranges.map((range) => grid(setting.perChannel ? range : whole, setting));
    const band = ({ low, high }, x, width) =>
      svg("rect", { x, y: this.y(high), width, height: this.y(low) - this.y(high), class: "qe-band" });
    const bands = setting.perChannel
      ? grids.map((each, i) => band(each, this.x(i) - 0.4 * slot, 0.8 * slot))
      : [band(grids[0], STRIP.left, WIDTH - STRIP.left - STRIP.right)];
    const arms = ranges.map(([low, high], i) =>
      svg("path", {
        d: `M${this.x(i)} ${this.y(low)}V${this.y(high)}`,
        class: setting.perChannel && i === model.get("channel") ? "hb-line qe-arm qe-chosen" : "hb-line qe-arm",
      }),
    );
    const floor = STRIP.height - STRIP.bottom;
    const step = niceStep(model.get("edges")[1]);
    const ticks = [-step, 0, step].map((value) =>
      svg("text", { x: STRIP.left - 6, y: this.y(value) + 4, class: "hb-end" }, short(value)),
    );
    const names = [0, ranges.length - 1].map((i) =>
      svg("text", { x: this.x(i), y: floor + 15, class: i ? "hb-end" : "hb-start" }, `channel ${i}`),
    );
    this.drawing.replaceChildren(
      ...bands,
      ...arms,
      ...ticks,
      ...names,
      svg("path", { d: `M${STRIP.left} ${this.y(0)}H${WIDTH - STRIP.right}`, class: "hb-line" }),
    );
    const steps = grids.map(({ scale }) => scale);
    const [fine, coarse] = [Math.min(...steps), Math.max(...steps)];
    const scales = setting.perChannel
      ? `${ranges.length} scales, from ${short(fine)} to ${short(coarse)}`
      : `one scale, ${short(fine)}, for all ${ranges.length} channels`;
    setText(this.words, `A line is a channel's weights, the band behind it what the grid covers: ${scales}.`);
    this.canvas.setAttribute("aria-label", this.words.textContent);
  }
}

/** A value against the share of the range that the grid covers, for the present bits and switches. */
class Chart {
  constructor(title, unit) {
    Object.assign(this, { title, unit });
    this.drawing = svg("g");
    this.canvas = svg("svg", { class: "hb-canvas", viewBox: `0 0 ${CHART.width} ${CHART.height}`, role: "img" }, this.drawing);
  }

  x(clip) {
    const [first, last] = [CLIPS[0], CLIPS.at(-1)];
    return CHART.left + ((clip - first) / (last - first)) * (CHART.width - CHART.left - CHART.right);
  }

  /** `curves`: class and values (null: no point); `ticks`: value and label; `y` maps 0 … 1 from the floor up. */
  show(curves, ticks, y, at, extra = []) {
    const floor = CHART.height - CHART.bottom;
    const place = (value) => floor - Math.min(Math.max(y(value), 0), 1) * (floor - CHART.top);
    const lines = curves.map(({ name, values }) => {
      let pen = "M";
      const path = values.map((value, i) => {
        if (value === null) return ((pen = "M"), "");
        const point = `${pen}${this.x(CLIPS[i]).toFixed(1)} ${place(value).toFixed(1)}`;
        pen = "L";
        return point;
      });
      return svg("path", { d: path.join(""), class: `hb-line qe-curve qe-${name}` });
    });
    const marks = curves.flatMap(({ name, values }) => {
      const value = values[CLIPS.indexOf(at)];
      return value === null ? [] : [svg("circle", { cx: this.x(at), cy: place(value), r: 4.5, class: `qe-mark qe-${name}` })];
    });
    this.drawing.replaceChildren(
      svg("text", { x: CHART.left, y: 13, class: "hb-start hb-strong" }, this.title),
      ...ticks.flatMap(({ value, label }) => [
        svg("path", { d: `M${CHART.left} ${place(value)}H${CHART.width - CHART.right}`, class: "hb-line qe-rule" }),
        svg("text", { x: CHART.left - 6, y: place(value) + 4, class: "hb-end" }, label),
      ]),
      ...[10, 40, 70, 100].map((clip) =>
        svg("text", { x: this.x(clip), y: floor + 15, class: clip === 100 ? "hb-end" : "hb-middle" }, `${clip} %`),
      ),
      svg("text", { x: (CHART.left + CHART.width) / 2, y: floor + 31, class: "hb-middle" }, "share of the range"),
      svg("path", { d: `M${this.x(at)} ${CHART.top}V${floor}`, class: "hb-line qe-now" }),
      svg("path", { d: `M${CHART.left} ${floor}H${CHART.width - CHART.right}`, class: "hb-line" }),
      ...extra.map(({ name, value }) =>
        svg("path", { d: `M${CHART.left} ${place(value)}H${CHART.width - CHART.right}`, class: `hb-line qe-curve qe-${name}` }),
      ),
      ...lines,
      ...marks,
    );
  }
}

/** Errors and accuracy: a table, and how they change with the range. */
class Results {
  constructor(model) {
    this.model = model;
    this.errors = new Chart("Mean squared error");
    this.accuracy = new Chart("Accuracy");
    // The same axis for every setting, so that the curves sink as the bits rise.
    const largest = Math.max(...model.get("table").map(([rounding, clipping]) => rounding + clipping), 1e-30);
    this.bottom = Math.ceil(Math.log10(largest)) - DECADES;
    this.cells = {};
    const body = h("tbody");
    for (const [key, label] of [
      ["rounding", "rounding error, mean square"],
      ["clipping", "clipping error, mean square"],
      ["sqnr", "SQNR of the layer"],
      ["accuracy", "accuracy of the model"],
      ["float", "accuracy in float"],
    ]) {
      this.cells[key] = h("td", { class: "hb-number" });
      const sample = key === "rounding" || key === "clipping" || key === "float" ? [sampleLine(key)] : [];
      body.append(h("tr", { "data-row": key }, h("th", { scope: "row" }, ...sample, label), this.cells[key]));
    }
    this.element = h(
      "section",
      { class: "hb-panel", "aria-label": "Error and accuracy" },
      h("h4", { class: "hb-name" }, "Error and accuracy"),
      plainTable("What this setting costs", ["what", "value"], body),
      h("div", { class: "hb-columns qe-charts" }, this.errors.canvas, this.accuracy.canvas),
    );
  }

  show(setting) {
    const { model, cells } = this;
    const table = model.get("table");
    const inFloat = model.get("float_accuracy");
    const found = row(table, setting);
    setText(cells.rounding, errorText(found.rounding));
    setText(cells.clipping, errorText(found.clipping));
    setText(cells.sqnr, decibels(sqnr(model.get("signal"), found)));
    setText(cells.accuracy, percent(found.accuracy));
    setText(cells.float, percent(inFloat));

    const course = CLIPS.map((clip) => row(table, { ...setting, clip }));
    const total = course.map((each) => each.rounding + each.clipping);
    const seen = (value) => (value > 10 ** this.bottom ? value : null);
    const decades = Array.from({ length: DECADES + 1 }, (_, i) => this.bottom + i);
    this.errors.show(
      [
        { name: "total", values: total.map(seen) },
        { name: "rounding", values: course.map((each) => seen(each.rounding)) },
        { name: "clipping", values: course.map((each) => seen(each.clipping)) },
      ],
      decades.map((exponent) => ({ value: 10 ** exponent, label: powerOf(10, exponent) })),
      (value) => (Math.log10(value) - this.bottom) / DECADES,
      setting.clip,
    );
    const best = CLIPS[total.indexOf(Math.min(...total))];
    this.errors.canvas.setAttribute(
      "aria-label",
      `Mean squared error against the share of the range: both parts together are least at ${best} %.`,
    );
    this.accuracy.show(
      [{ name: "accuracy", values: course.map((each) => each.accuracy) }],
      [0, 0.25, 0.5, 0.75, 1].map((value) => ({ value, label: `${100 * value} %` })),
      (value) => value,
      setting.clip,
      [{ name: "float", value: inFloat }],
    );
    const most = Math.max(...course.map((each) => each.accuracy));
    const where = CLIPS[course.findLastIndex((each) => each.accuracy === most)];
    this.accuracy.canvas.setAttribute(
      "aria-label",
      `Accuracy against the share of the range: at most ${percent(most)}, at ${where} %; in float ${percent(inFloat)}.`,
    );
    return found;
  }
}

function sampleLine(name) {
  return svg(
    "svg",
    { class: "qe-sample", viewBox: "0 0 24 10", "aria-hidden": "true" },
    svg("path", { d: "M0 5H24", class: `hb-line qe-curve qe-${name}` }),
  );
}

function render({ model, el }) {
  const prefix = ownPrefix();
  let found = null;
  const status = announcer(() => summary(settingOf(model), found, model.get("signal"), model.get("float_accuracy")));
  const change = (name) => (value) => {
    model.set(name, value);
    model.save_changes();
    status.soon();
  };

  const bits = slider(`${prefix}-bits`, "Bits", { min: BITS.min, max: BITS.max, step: 1 }, change("bits"));
  const clip = slider(`${prefix}-clip`, "Range", { min: CLIPS[0], max: CLIPS.at(-1), step: 5 }, change("clip"));
  const kinds = [["symmetric", true], ["asymmetric", false]];
  const kind = choice(`${prefix}-kind`, "Grid", kinds, change("symmetric"));
  const scopes = [["per tensor", false], ["per channel", true]];
  const scope = choice(`${prefix}-scope`, "Scales", scopes, change("per_channel"));
  const last = model.get("ranges").length - 1;
  const channel = slider(`${prefix}-channel`, "Channel", { min: 0, max: last, step: 1 }, change("channel"));
  const histogram = new Histogram(model, prefix);
  histogram.canvas.before(channel.element);
  const parts = [histogram, new Strip(model), new Results(model)];

  const show = () => {
    const setting = settingOf(model);
    bits.show(setting.bits, `${setting.bits} bits`);
    clip.show(setting.clip, `${setting.clip} % of the full range`);
    kind.show(setting.symmetric);
    scope.show(setting.perChannel);
    channel.show(model.get("channel"), `channel ${model.get("channel")}`);
    channel.element.hidden = !setting.perChannel;
    found = parts.map((part) => part.show(setting)).at(-1);
  };

  keepKeys(el);
  el.append(
    h(
      "div",
      { class: "hb-explorer quantization-explorer" },
      h("div", { class: "hb-head hb-columns" }, bits.element, clip.element, kind.element, scope.element),
      ...parts.map((part) => part.element),
      status.element,
    ),
  );
  const unwatch = watch(model, ["bits", "clip", "symmetric", "per_channel", "channel"], show);
  show();
  return () => {
    status.stop();
    unwatch();
  };
}

export default { render };
