/**
 * The MockInterview widget: draws the page that Python shows (`view`) and tells what the person did (`said`).
 *
 * The clock runs here. It stands still while one grades oneself. What is typed goes to Python, which keeps it, when the
 * hand rests, when the box is left, and when the page is.
 */

const REST_MS = 400;
const TICK_MS = 1000;
const KEEP_SECONDS = 10;
const SILENCE_MS = 5000;
const QUESTION_SECONDS = 180;

/** 75 → "1:15" */
export function minutes(seconds) {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** What the clock says: of this question, and of the whole interview. */
export function clockText(seconds, others, limit) {
  const left = limit - others - seconds;
  const rest = left >= 0 ? `${minutes(left)} of ${minutes(limit)} left` : `${minutes(-left)} over the time: come to an end`;
  return `${minutes(seconds)} on this question · ${rest}`;
}

/** An element with HTML of the bank's. */
function rich(tag, html, attributes = {}) {
  const element = h(tag, attributes);
  element.innerHTML = html;
  return element;
}

/** A link from this notebook's folder to another file of the course, in a tab of its own: the interview stays open. */
function fileLink(text, path) {
  return h("a", { href: `../${path}`, target: "_blank", rel: "noopener" }, text);
}

/** The seconds on one question, shown as they go. */
class Clock {
  constructor(view, onKeep) {
    Object.assign(this, { view, onKeep, seconds: view.seconds, timer: null });
    this.element = h("p", { class: "hb-help mi-clock", role: "timer" });
    this.show();
  }

  start() {
    this.timer = setInterval(() => {
      this.seconds += 1;
      this.show();
      if (this.seconds % KEEP_SECONDS === 0) this.onKeep();
    }, TICK_MS);
  }

  stop() {
    clearInterval(this.timer);
  }

  show() {
    const { others, limit } = this.view;
    setText(this.element, clockText(this.seconds, others, limit));
    this.element.classList.toggle("mi-late", this.seconds > QUESTION_SECONDS || others + this.seconds > limit);
  }
}

/** One page of the interview; `stop` ends what runs on it. */
function startPage(view, tell, prefix) {
  const chosen = { level: view.levels[0], minutes: view.minutes[0], code: false };
  const level = choice(`${prefix}-level`, "Level", view.levels.map((name) => [name, name]), (value) => (chosen.level = value));
  const length = choice(
    `${prefix}-minutes`,
    "Length",
    view.minutes.map((count) => [`${count} minutes`, count]),
    (value) => (chosen.minutes = value),
  );
  level.show(chosen.level);
  length.show(chosen.minutes);
  const code = h("input", { type: "checkbox", id: `${prefix}-code` });
  code.addEventListener("change", () => (chosen.code = code.checked));
  const parts = [h("h4", { class: "hb-name", tabindex: -1 }, "Mock interview")];
  if (view.unfinished) {
    parts.push(
      h("p", {}, `One is not finished. ${view.unfinished}.`),
      h(
        "div",
        { class: "mi-buttons" },
        button("Go on with it", "where it was left", () => tell("resume")),
        button("End it", "it is kept as it is", () => tell("drop")),
      ),
    );
    return { parts, stop() {} };
  }
  parts.push(
    level.element,
    length.element,
    h("label", { for: code.id, class: "mi-check" }, code, "With an exercise, in ten of the minutes"),
    h("p", { class: "hb-help" }, "Answer aloud or in writing, about three minutes a question. The clock stands still while you grade yourself."),
    h("div", { class: "mi-buttons" }, button("Begin", "the first question", () => tell("begin", chosen))),
  );
  return { parts, stop() {} };
}

function heading(view) {
  return h(
    "h4",
    { class: "hb-name", tabindex: -1 },
    `Question ${view.place} of ${view.of}`,
    h("span", { class: "mi-topic" }, `${view.topic} · ${view.level}`),
  );
}

function finishButton(tell) {
  let sure = false;
  const element = button("End the interview", "go to the summary", () => {
    if (sure) tell("finish");
    sure = true;
    setText(element, "End it now?");
  });
  return element;
}

function questionPage(view, tell, prefix) {
  const id = `${prefix}-answer`;
  const box = view.number ? h("input", { type: "text", id, autocomplete: "off" }) : h("textarea", { id, rows: 9 });
  box.className = "mi-box";
  box.value = view.text;
  let resting = null;
  const facts = () => ({ question: view.id, text: box.value, seconds: clock.seconds });
  const keep = () => {
    clearTimeout(resting);
    tell("write", facts());
  };
  const clock = new Clock(view, keep);
  const turn = () => {
    clearTimeout(resting);
    tell("turn", facts());
  };
  box.addEventListener("input", () => {
    clearTimeout(resting);
    resting = setTimeout(keep, REST_MS);
  });
  box.addEventListener("blur", () => resting && keep());
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey || view.number)) return;
    event.preventDefault();
    event.stopPropagation(); // JupyterLab would run the cell anew
    turn();
  });
  addEventListener("pagehide", keep);
  clock.start();
  const label = view.number ? `Your number${view.unit ? `, in ${view.unit}` : ""}` : "Your answer: notes will do, if you say it aloud";
  return {
    parts: [
      heading(view),
      clock.element,
      rich("div", view.html, { class: "mi-question" }),
      h("label", { for: id, class: "hb-label" }, label),
      box,
      h(
        "div",
        { class: "mi-buttons" },
        button("Compare", "what the answer should say; Ctrl+Enter in the box", turn),
        finishButton(tell),
      ),
    ],
    focus: box,
    stop() {
      clearTimeout(resting);
      clock.stop();
      removeEventListener("pagehide", keep);
    },
  };
}

const GRADES = { weak: "Anyone says", good: "A good answer says", senior: "A senior answer adds" };

/** The points of a grade, each to be ticked. */
function pointList(view, grade, prefix, tell) {
  const points = view.points.filter((point) => point.grade === grade);
  if (!points.length) return [];
  const counts = points.some((point) => point.counts) ? "" : " (not counted at this level)";
  const boxes = points.map((point, i) => {
    const input = h("input", { type: "checkbox", id: `${prefix}-${grade}-${i}` });
    input.checked = point.ticked;
    input.addEventListener("change", () => {
      point.ticked = input.checked;
      const ticked = view.points.filter((each) => each.ticked).map((each) => each.text);
      tell("tick", { question: view.id, ticked });
    });
    return h("label", { for: input.id, class: "mi-check" }, input, rich("span", point.html));
  });
  return [h("fieldset", { class: "mi-points" }, h("legend", { class: "hb-label" }, GRADES[grade] + counts), ...boxes)];
}

function rubricPage(view, tell, prefix) {
  const own = view.text.trim() || "(nothing written)";
  const verdict = view.number
    ? [h("p", { class: view.right ? "mi-right" : "mi-wrong" }, view.right ? "✓ Right." : "✗ Not right. ", rich("span", view.because))]
    : [];
  const trap = view.trap ? [rich("p", `<strong>The trap:</strong> ${view.trap}`)] : [];
  const more = view.follow_ups.map(([question, answer]) =>
    h("details", {}, rich("summary", question), rich("div", answer)),
  );
  const tickHelp = view.points.length ? [h("p", { class: "hb-help" }, "Tick what your answer said. Be strict.")] : [];
  const compared = h(
    "div",
    { class: "hb-columns" },
    h("div", {}, h("p", { class: "hb-label" }, "You said"), h("div", { class: "mi-own" }, own), ...verdict),
    h("div", {}, h("p", { class: "hb-label" }, view.number ? "The number" : "In 60 seconds"), rich("div", view.answer)),
  );
  const last = view.place === view.of;
  return {
    parts: [
      heading(view),
      rich("div", view.html, { class: "mi-question" }),
      compared,
      ...tickHelp,
      ...Object.keys(GRADES).flatMap((grade) => pointList(view, grade, prefix, tell)),
      ...trap,
      ...(more.length ? [h("p", { class: "hb-label" }, "What comes next: answer, then open"), ...more] : []),
      h("p", { class: "hb-help" }, "The proof: ", fileLink(view.read.heading, view.read.lesson)),
      h(
        "div",
        { class: "mi-buttons" },
        button(last ? "Go on" : "Next question", "your ticks are kept", () => tell("done", { question: view.id })),
        finishButton(tell),
      ),
    ],
    stop() {},
  };
}

function codePage(view, tell) {
  const clock = new Clock(view, () => {});
  clock.start();
  const look = (give_up) => () => tell("code", { seconds: clock.seconds, give_up });
  return {
    parts: [
      h("h4", { class: "hb-name", tabindex: -1 }, "The exercise", h("span", { class: "mi-topic" }, view.unit)),
      clock.element,
      h("p", {}, h("code", {}, view.name), ": ", rich("span", view.contract)),
      h(
        "p",
        {},
        "Its text stands in ",
        fileLink(view.path, view.path),
        ". Write it there and run its ",
        h("code", {}, `check(${view.name})`),
        ", then come back.",
      ),
      h(
        "div",
        { class: "mi-buttons" },
        button("Has it passed?", "ask the grader’s record", look(false)),
        button("Give it up", "go to the summary", look(true)),
      ),
    ],
    stop: () => clock.stop(),
  };
}

function bar(title, percent, note) {
  const length = h("span", { class: "mi-bar" });
  length.style.width = `${percent}%`;
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, title),
    h("td", { class: "hb-number" }, `${percent} %`),
    h("td", { class: "mi-track", "aria-hidden": "true" }, length),
    h("td", {}, note),
  );
}

function summaryPage(view, tell) {
  const rows = view.topics.map(({ title, percent, count }) => bar(title, percent, `${count} question${count === 1 ? "" : "s"}`));
  const study = view.study.map((item) =>
    h(
      "li",
      {},
      rich("span", item.question),
      h("br"),
      fileLink(item.heading, item.lesson),
      " · ",
      fileLink(item.practise, item.exercises),
    ),
  );
  const whole = view.percent === null ? "No question was compared with its rubric." : `${view.percent} % of the expected points.`;
  const code = view.code ? [h("p", {}, "The exercise ", h("code", {}, view.code.name), view.code.passed ? " passed." : " has not passed.")] : [];
  return {
    parts: [
      h("h4", { class: "hb-name", tabindex: -1 }, "How it went", h("span", { class: "mi-topic" }, view.title)),
      h("p", {}, h("strong", {}, whole), ` ${view.reached} of ${view.of} questions in ${view.minutes_used} minutes.`),
      ...code,
      ...(rows.length ? [plainTable("The score by topic", ["topic", "score", "", "questions"], h("tbody", {}, ...rows))] : []),
      ...(study.length ? [h("p", { class: "hb-label" }, "What to study next"), h("ol", { class: "mi-study" }, ...study)] : []),
      h("div", { class: "mi-buttons" }, button("Another interview", "choose level and length", () => tell("again"))),
    ],
    stop() {},
  };
}

const SILENCE = "Nobody answers, so this was not kept: keep a copy of what you typed, and run the cell above again.";
const PAGES = { start: startPage, question: questionPage, rubric: rubricPage, code: codePage, summary: summaryPage };

function render({ model, el }) {
  const prefix = ownPrefix();
  const body = h("section", { class: "hb-panel", "aria-label": "Mock interview" });
  const saved = h("p", { class: "hb-help mi-saved", role: "status" });
  let page = null;
  let count = 0;
  let waiting = null;
  // A count makes each message differ from the one before, or it would be no change.
  const tell = (act, facts = {}) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => setText(saved, SILENCE), SILENCE_MS);
    model.set("said", { act, ...facts, count: `${prefix}-${(count += 1)}` });
    model.save_changes();
  };
  const show = () => {
    const had = body.contains(document.activeElement);
    page?.stop();
    const view = model.get("view");
    page = PAGES[view.page](view, tell, prefix);
    body.replaceChildren(...page.parts);
    if (had) (page.focus ?? body.querySelector("h4")).focus();
  };
  const heard = () => clearTimeout(waiting);
  const tellSaved = () => setText(saved, model.get("saved"));
  keepKeys(el);
  el.append(h("div", { class: "hb-explorer mock-interview" }, body, saved));
  const unwatch = [watch(model, ["view"], show), watch(model, ["saved"], tellSaved), watch(model, ["heard"], heard)];
  show();
  tellSaved();
  return () => {
    clearTimeout(waiting);
    page.stop();
    for (const stop of unwatch) stop();
  };
}

export default { render };
