/**
 * LossScaleExplorer: real gradients over the range of the 16-bit formats, moved by a loss scale.
 *
 * Three parts, top to bottom, after explorer.js, whose helpers they use:
 *   1. arithmetic  the fate of every gradient at a scale; dynamic scaling; exact, on counts (see the .py)
 *   2. text        numbers and sentences to show
 *   3. view        the DOM, and `render` for anywidget
 *
 * Parts 1 and 2 touch no DOM and are exported, so that tests run them in Node against NumPy.
 */

// ── 1. arithmetic ────────────────────────────────────────────────────────────────────────────────────────────

export const FATES = Object.freeze(["zero", "subnormal", "normal", "overflow"]);

/** Borders of a format: octaves, and the fraction of the octave from which on the upper side begins. */
export function borders([exponentBits, mantissaBits]) {
  const bias = 2 ** (exponentBits - 1) - 1;
  const minExponent = 1 - bias;
  return {
    zero: minExponent - mantissaBits - 1, // up to and with this power of two, everything becomes zero
    normal: { octave: minExponent - 1, fraction: 2 - 2 ** -mantissaBits },
    overflow: { octave: bias, fraction: 2 - 2 ** -(mantissaBits + 1) },
    minExponent,
    maxExponent: bias,
  };
}

/** Whether a part of an octave lies at or above a border. Part 0 is the power of two; part i begins at cuts[i − 2]. */
function reaches(octave, part, cuts, border) {
  if (octave !== border.octave) return octave > border.octave;
  return part >= 2 && cuts[part - 2] >= border.fraction;
}

/** What becomes of a part of an octave, already scaled. */
export function fate(layout, cuts, octave, part) {
  const { zero, normal, overflow } = borders(layout);
  if (octave < zero || (octave === zero && part === 0)) return "zero";
  if (reaches(octave, part, cuts, overflow)) return "overflow";
  return reaches(octave, part, cuts, normal) ? "normal" : "subnormal";
}

/** How many gradients each fate takes at the scale 2^exponent. */
export function counts(layout, cuts, cells, exponent, notFinite = 0) {
  const result = { zero: 0, subnormal: 0, normal: 0, overflow: notFinite };
  for (const [octave, part, count] of cells) result[fate(layout, cuts, octave + exponent, part)] += count;
  return result;
}

/** The histogram at a scale: one column an octave from `low` to `high`, what lies outside in the outermost ones. */
export function columns(layout, cuts, cells, exponent, low, high) {
  const bars = Array.from({ length: high - low + 1 }, (_, i) => ({
    octave: low + i,
    total: 0,
    ...Object.fromEntries(FATES.map((name) => [name, 0])),
  }));
  for (const [octave, part, count] of cells) {
    const at = Math.min(Math.max(octave + exponent, low), high);
    const bar = bars[at - low];
    bar[fate(layout, cuts, octave + exponent, part)] += count;
    bar.total += count;
  }
  return bars;
}

// ── 2. text ──────────────────────────────────────────────────────────────────────────────────────────────────

/** A share, never rounded to 0 % or 100 % unless it is that. */
export function percent(count, total) {
  if (!total || count === 0) return "0 %";
  if (count === total) return "100 %";
  const share = (100 * count) / total;
  if (share < 0.01) return "< 0.01 %";
  if (share > 99.99) return "> 99.99 %";
  return `${share < 1 || share > 99 ? share.toFixed(2) : share.toFixed(1)} %`;
}

export const LABELS = Object.freeze({
  zero: "lost: becomes 0",
  subnormal: "subnormal: loses digits",
  normal: "normal: full precision",
  overflow: "overflows to infinity",
});

/** One format at one scale, in a sentence. */
export function summary(name, found, total) {
  const parts = FATES.map((key) => `${percent(found[key], total)} ${LABELS[key].split(":")[0]}`);
  return `${name}: ${parts.join(", ")}.`;
}

/** What happened in one step of the replay. `next` is the exponent of the following step's scale. */
export function stepText(steps, index, growthInterval) {
  const [exponent, skipped, largest] = steps[index];
  const head = `Step ${index + 1} of ${steps.length}, scale ${powerOf(2, exponent)}. `;
  const product = largest === null ? "not finite" : `${(largest * 2 ** exponent).toPrecision(3)}`;
  const values = `Largest gradient × scale: ${product}. `;
  if (skipped) return `${head}${values}Overflow: the step is skipped and the scale halved to ${powerOf(2, exponent - 1)}.`;
  const grows = index + 1 < steps.length && steps[index + 1][0] > exponent;
  return `${head}${values}Finite: the weights move${
    grows ? `, and after ${growthInterval} good steps in a row the scale doubles to ${powerOf(2, exponent + 1)}` : ""
  }.`;
}

// ── 3. view ──────────────────────────────────────────────────────────────────────────────────────────────────

const WIDTH = 920;
const HIST = { left: 8, right: 8, top: 20, bottom: 38, height: 190 };
const CHART = { left: 46, right: 12, top: 12, bottom: 30, height: 150 };
const PLAY_MS = 140;

/** Fills that differ by texture as well as by colour. */
function textures(prefix) {
  const texture = (name, ...marks) =>
    svg(
      "pattern",
      { id: `${prefix}-${name}`, width: 6, height: 6, patternUnits: "userSpaceOnUse" },
      svg("rect", { width: 6, height: 6, class: `ls-fill-${name}` }),
      ...marks,
    );
  return svg(
    "defs",
    {},
    texture("zero", svg("path", { d: "M0 6L6 0M-1 1L1 -1M5 7L7 5", class: "ls-mark" })),
    texture("subnormal", svg("circle", { cx: 3, cy: 3, r: 1.3, class: "ls-dot" })),
    texture("normal"),
    texture("overflow", svg("path", { d: "M0 0L6 6M0 6L6 0", class: "ls-mark" })),
  );
}

/** One format: histogram and table. */
class FormatPanel {
  constructor(model, name, domain, prefix) {
    Object.assign(this, { model, name, domain, prefix });
    this.layout = model.get("layouts")[name];
    this.total = model.get("cells").reduce((sum, cell) => sum + cell[2], 0) + model.get("not_finite");
    this.bars = svg("g");
    this.beyond = svg("text", { y: HIST.top - 6, class: "ls-note" });
    this.canvas = svg(
      "svg",
      { class: "hb-canvas", viewBox: `0 0 ${WIDTH} ${HIST.height}`, role: "img" },
      textures(prefix),
      this.zones(),
      this.bars,
      this.beyond,
    );
    this.rows = {};
    this.element = h(
      "section",
      { class: "hb-panel", "data-format": name, "aria-label": `${name} at this loss scale` },
      h("h4", { class: "hb-name" }, name),
      this.canvas,
      this.table(),
    );
  }

  x(octave) {
    const [low, high] = this.domain;
    return HIST.left + ((octave - low) / (high + 1 - low)) * (WIDTH - HIST.left - HIST.right);
  }

  /** The ranges of the format behind the bars, and the axis below them. */
  zones() {
    const [low, high] = this.domain;
    const { zero, minExponent, maxExponent } = borders(this.layout);
    const floor = HIST.height - HIST.bottom;
    const edges = [low, zero, minExponent, maxExponent + 1, high + 1].map((e) => Math.min(Math.max(e, low), high + 1));
    const group = svg("g");
    FATES.forEach((fateName, i) => {
      const [from, to] = [this.x(edges[i]), this.x(edges[i + 1])];
      if (to - from < 1) return;
      group.append(
        svg("rect", { x: from, y: HIST.top, width: to - from, height: floor - HIST.top, class: `ls-zone ls-zone-${fateName}` }),
      );
      // Where the borders lie out of view they are told in words.
      const whole = fateName === "normal" && from <= HIST.left + 1 && to >= WIDTH - HIST.right - 1;
      const label = whole ? `normal, from ${powerOf(2, minExponent)} to ${powerOf(2, maxExponent + 1)}` : fateName;
      if (to - from > 8 * label.length) {
        group.append(svg("text", { x: (from + to) / 2, y: HIST.height - 4, class: "hb-middle hb-strong" }, label));
      }
      if (i && from > HIST.left + 1) {
        group.append(svg("path", { d: `M${from} ${HIST.top}V${floor + 4}`, class: "hb-line ls-border" }));
      }
    });
    group.append(svg("path", { d: `M${HIST.left} ${floor}H${WIDTH - HIST.right}`, class: "hb-line" }));
    for (let e = Math.ceil(low / 8) * 8; e <= high; e += 8) {
      group.append(
        svg("path", { d: `M${this.x(e)} ${floor}v4`, class: "hb-line" }),
        svg("text", { x: this.x(e), y: floor + 16, class: "hb-middle" }, powerOf(2, e)),
      );
    }
    return group;
  }

  table() {
    const body = h("tbody");
    for (const name of FATES) {
      const sample = svg(
        "svg",
        { class: "ls-sample", viewBox: "0 0 18 12", "aria-hidden": "true" },
        svg("rect", { width: 18, height: 12, fill: `url(#${this.prefix}-${name})`, class: "ls-bar" }),
      );
      const count = h("td", { class: "hb-number" });
      const share = h("td", { class: "hb-number" });
      const length = h("span", { class: `ls-length ls-length-${name}` });
      this.rows[name] = { count, share, length };
      body.append(
        h(
          "tr",
          { "data-fate": name },
          h("th", { scope: "row" }, sample, h("span", {}, LABELS[name])),
          count,
          share,
          h("td", { class: "ls-track", "aria-hidden": "true" }, length),
        ),
      );
    }
    return plainTable(
      `What ${this.name} makes of the gradients times the loss scale`,
      ["fate", "gradients", "share"],
      body,
    );
  }

  show(exponent) {
    const { model, layout, total } = this;
    const [cuts, cells] = [model.get("cuts"), model.get("cells")];
    const [low, high] = this.domain;
    const found = counts(layout, cuts, cells, exponent, model.get("not_finite"));
    const bars = columns(layout, cuts, cells, exponent, low, high);
    const most = Math.max(1, ...this.heights(cells));
    const floor = HIST.height - HIST.bottom;
    const shapes = [];
    for (const bar of bars) {
      let y = floor;
      for (const name of FATES) {
        if (!bar[name]) continue;
        const height = Math.max((Math.min(bar[name] / most, 1)) * (floor - HIST.top), 1);
        y -= height;
        shapes.push(
          svg("rect", {
            x: this.x(bar.octave) + 0.5,
            y,
            width: Math.max(this.x(bar.octave + 1) - this.x(bar.octave) - 1, 0.5),
            height,
            fill: `url(#${this.prefix}-${name})`,
            class: "ls-bar",
          }),
        );
      }
    }
    this.bars.replaceChildren(...shapes);
    this.canvas.setAttribute("aria-label", `Histogram of the scaled gradients. ${summary(this.name, found, total)}`);
    for (const name of FATES) {
      const row = this.rows[name];
      setText(row.count, integer(found[name]));
      setText(row.share, percent(found[name], total));
      row.length.style.width = `${total ? (100 * found[name]) / total : 0}%`;
    }
    const outside = cells.reduce((sum, [octave, , count]) => sum + (octave + exponent < low ? count : 0), 0);
    const over = cells.reduce((sum, [octave, , count]) => sum + (octave + exponent > high ? count : 0), 0);
    this.beyond.setAttribute("x", over ? WIDTH - HIST.right : HIST.left);
    this.beyond.setAttribute("text-anchor", over ? "end" : "start");
    setText(
      this.beyond,
      over ? `${integer(over)} beyond ${powerOf(2, high + 1)} ▸` : outside ? `◂ ${integer(outside)} below ${powerOf(2, low)}` : "",
    );
    return found;
  }

  /** The height of every octave without a scale: the bars keep theirs as they move. */
  heights(cells) {
    const sums = new Map();
    for (const [octave, , count] of cells) sums.set(octave, (sums.get(octave) ?? 0) + count);
    return sums.values();
  }
}

/** Dynamic scaling, step by step. */
class Replay {
  constructor(model, prefix, { onStep, onRest }) {
    Object.assign(this, { model, onStep, onRest, timer: null });
    this.steps = model.get("replayed");
    this.marker = svg("path", { class: "hb-line ls-now" });
    this.done = svg("path", { class: "hb-line ls-done" });
    this.chart = svg("svg", { class: "hb-canvas", viewBox: `0 0 ${WIDTH} ${CHART.height}`, role: "img" });
    this.draw();
    this.text = h("p", { class: "ls-step-text" });
    this.first = button("Start", "to the first step", () => this.go(0));
    this.back = button("◂ Step", "one step back", () => this.go(this.at - 1));
    this.forward = button("Step ▸", "one step on", () => this.go(this.at + 1));
    this.play = button("Play", "play from here", () => (this.timer ? this.pause() : this.start()));
    this.skip = button("Next skip", "to the next skipped step", () => this.toSkip());
    this.position = h("input", {
      type: "range",
      class: "hb-range",
      id: `${prefix}-step`,
      min: 0,
      max: this.steps.length - 1,
      step: 1,
    });
    this.position.addEventListener("input", () => this.go(Number(this.position.value)));
    const skips = this.steps.filter(([, skipped]) => skipped).length;
    this.element = h(
      "section",
      { class: "hb-panel ls-replay", "aria-label": "Replay of dynamic loss scaling" },
      h("h4", { class: "hb-name" }, "Dynamic scaling, step by step"),
      h(
        "p",
        { class: "hb-help" },
        `${integer(this.steps.length)} steps, ${integer(skips)} skipped. The scale doubles after ` +
          `${integer(model.get("growth_interval"))} good steps in a row.`,
      ),
      this.chart,
      h("div", { class: "ls-controls" }, this.first, this.back, this.play, this.forward, this.skip),
      h("label", { class: "hb-label", for: `${prefix}-step` }, "Step"),
      this.position,
      this.text,
    );
  }

  get at() {
    return this.model.get("step");
  }

  x(index) {
    return CHART.left + (index / this.steps.length) * (WIDTH - CHART.left - CHART.right);
  }

  y(exponent) {
    const all = this.steps.map(([each]) => each);
    const [low, high] = [Math.min(...all) - 1, Math.max(...all) + 1];
    return CHART.height - CHART.bottom - ((exponent - low) / (high - low)) * (CHART.height - CHART.bottom - CHART.top);
  }

  path(until) {
    const points = this.steps.slice(0, until).map(([e], i) => `${i ? "V" : `M${this.x(0)} `}${this.y(e)}H${this.x(i + 1)}`);
    return points.join("");
  }

  draw() {
    const all = this.steps.map(([each]) => each);
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const stride = Math.max(1, Math.ceil((high - low) / 5));
    const floor = CHART.height - CHART.bottom;
    const ticks = [];
    for (let e = low; e <= high; e += stride) {
      ticks.push(
        svg("path", { d: `M${CHART.left} ${this.y(e)}H${WIDTH - CHART.right}`, class: "hb-line ls-grid" }),
        svg("text", { x: CHART.left - 6, y: this.y(e) + 4, class: "hb-end" }, powerOf(2, e)),
      );
    }
    const marks = this.steps.flatMap(([e, skipped], i) => {
      const [x, y] = [this.x(i + 0.5), this.y(e)];
      return skipped ? [svg("path", { d: `M${x - 4} ${y - 4}l8 8m0 -8l-8 8`, class: "hb-line ls-skip" })] : [];
    });
    this.chart.append(
      ...ticks,
      svg("text", { x: CHART.left, y: CHART.height - 6, class: "hb-start" }, "step 1"),
      svg("text", { x: WIDTH - CHART.right, y: CHART.height - 6, class: "hb-end" }, `step ${this.steps.length}`),
      svg("text", { x: (WIDTH + CHART.left) / 2, y: CHART.height - 6, class: "hb-middle" }, "loss scale; × is a skipped step"),
      svg("path", { d: `M${CHART.left} ${floor}H${WIDTH - CHART.right}`, class: "hb-line" }),
      svg("path", { d: this.path(this.steps.length), class: "hb-line ls-course" }),
      this.done,
      ...marks,
      this.marker,
    );
  }

  go(index) {
    this.onStep(Math.min(Math.max(index, 0), this.steps.length - 1));
  }

  toSkip() {
    const next = this.steps.findIndex(([, skipped], i) => skipped && i > this.at);
    if (next >= 0) this.go(next);
  }

  start() {
    if (this.at >= this.steps.length - 1) this.go(0);
    this.timer = setInterval(() => {
      if (this.at >= this.steps.length - 1) this.pause();
      else this.go(this.at + 1);
    }, PLAY_MS);
    setText(this.play, "Pause");
  }

  pause() {
    if (!this.timer) return;
    clearInterval(this.timer);
    this.timer = null;
    setText(this.play, "Play");
    this.onRest();
  }

  describe() {
    return stepText(this.steps, this.at, this.model.get("growth_interval"));
  }

  show() {
    const { at, steps } = this;
    const x = this.x(at + 0.5);
    this.marker.setAttribute("d", `M${x} ${CHART.top}V${CHART.height - CHART.bottom}`);
    this.done.setAttribute("d", this.path(at + 1));
    this.position.value = at;
    this.position.setAttribute("aria-valuetext", `step ${at + 1} of ${steps.length}`);
    const scale = Math.round(Math.log2(this.model.get("scale")));
    const elsewhere = scale !== steps[at][0] ? ` (The histograms show the slider’s ${powerOf(2, scale)}.)` : "";
    setText(this.text, this.describe() + elsewhere);
    this.text.classList.toggle("ls-skipped", steps[at][1]);
    this.chart.setAttribute("aria-label", `The loss scale over ${steps.length} steps. ${this.describe()}`);
    this.first.disabled = this.back.disabled = at === 0;
    this.forward.disabled = at === steps.length - 1;
    this.skip.disabled = !steps.some(([, skipped], i) => skipped && i > at);
  }
}

function render({ model, el }) {
  const prefix = ownPrefix();
  const [lowest, highest] = model.get("exponents");
  const cells = model.get("cells");
  const octaves = cells.map(([octave]) => octave);
  // From the smallest gradients, unscaled, to a little beyond fp16's maximum: the same axis at every scale.
  const domain = [Math.max(Math.min(...octaves, -30) - 1, -72), 23];
  const exponent = () => Math.round(Math.log2(model.get("scale")));

  const panels = model.get("formats").map((name, i) => new FormatPanel(model, name, domain, `${prefix}-${i}`));
  const given = cells.reduce((sum, cell) => sum + cell[2], 0) + model.get("not_finite");
  const left = model.get("zeros") ? `; ${integer(model.get("zeros"))} more are exactly 0 and stay so` : "";

  const status = announcer(() => {
    const found = panels.map((panel) => summary(panel.name, panel.found, given));
    return [replay?.stepped ? replay.describe() : `Scale ${powerOf(2, exponent())}.`, ...found].join(" ");
  });
  const limits = { min: lowest, max: highest, step: 1, "aria-describedby": `${prefix}-help` };
  const scale = slider(`${prefix}-scale`, "Loss scale", limits, (e) => {
    if (replay) {
      replay.pause();
      replay.stepped = false;
    }
    model.set("scale", 2 ** e);
    model.save_changes();
    status.soon();
  });

  const replay = model.get("replayed").length
    ? new Replay(model, prefix, {
        onStep(index) {
          replay.stepped = true;
          model.set("step", index);
          model.set("scale", 2 ** model.get("replayed")[index][0]);
          model.save_changes();
          if (!replay.timer) status.soon();
        },
        onRest: status.soon,
      })
    : null;

  const show = () => {
    const e = exponent();
    const number = e >= 0 && e <= 40 ? integer(2 ** e) : (2 ** e).toPrecision(4);
    scale.show(e, `2 to the ${e}`, `${powerOf(2, e)} = ${number}`);
    for (const panel of panels) panel.found = panel.show(e);
    replay?.show();
  };

  keepKeys(el);
  el.append(
    h(
      "div",
      { class: "hb-explorer loss-scale-explorer" },
      h(
        "div",
        { class: "hb-head" },
        scale.element,
        h(
          "p",
          { class: "hb-help", id: `${prefix}-help` },
          `${integer(given)} gradients that are not 0${left}. Each is multiplied by the loss scale and cast; one bar is one power of two.`,
        ),
      ),
      ...panels.map((panel) => panel.element),
      ...(replay ? [replay.element] : []),
      status.element,
    ),
  );
  const unwatch = [watch(model, ["scale"], show), watch(model, ["step"], () => replay?.show())];
  show();
  return () => {
    replay?.pause();
    status.stop();
    for (const stop of unwatch) stop();
  };
}

export default { render };
