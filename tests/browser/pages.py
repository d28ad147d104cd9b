"""Pages for the browser tests: opened under watch, with a widget on them, and looked at for contrast."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

# A page with a widget on it, and what stands in for anywidget's model. A test may expose a `kernel` that answers
# changes with new values.
WIDGET = """<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,"><title>test</title><style>body {{ background: #fff; color: #1f1f1f }}
@media (prefers-color-scheme: dark) {{ body {{ background: #121212; color: #e8e8e8 }} }}
{css}</style></head><body><div id="one"></div><div id="two"></div><script type="module">
{js}
const state = {state}, listeners = new Map();
const model = {{
  get: (name) => state[name],
  set(name, value) {{ update({{ [name]: value }}); }},
  on: (event, listener) => listeners.set(event, (listeners.get(event) ?? new Set()).add(listener)),
  off: (event, listener) => listeners.get(event)?.delete(listener),
  save_changes() {{ window.kernel?.(state).then(update); }},
}};
function update(values) {{
  const changed = Object.keys(values).filter((name) => state[name] !== values[name]);
  Object.assign(state, values);
  for (const name of changed) for (const listener of listeners.get(`change:${{name}}`) ?? []) listener();
}}
Object.assign(window, {{ model, listeners }});
window.dispose = render({{ model, el: document.getElementById("one") }});
</script></body></html>"""

# Ratios below 4.5:1 (WCAG 2.2, 1.4.3) between the colour of each visible text and what is painted behind it.
LOW_CONTRAST = """() => {
  const context = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", {
    willReadFrequently: true,
  });
  const paint = (colours) => {
    context.clearRect(0, 0, 1, 1);
    for (const colour of colours) { context.fillStyle = colour; context.fillRect(0, 0, 1, 1); }
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const low = [];
  for (const element of document.querySelectorAll("body *")) {
    const text = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!text || !element.getClientRects().length || ["SCRIPT", "STYLE", "OPTION"].includes(element.tagName)) continue;
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.unshift(getComputedStyle(at).backgroundColor);
    const style = getComputedStyle(element);
    const ink = element instanceof SVGElement ? style.fill : style.color;
    const [a, b] = [luminance(paint(layers)), luminance(paint([...layers, ink]))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) low.push(`${ratio.toFixed(2)}: ${element.outerHTML}`);
  }
  return low;
}"""


def watched(browser, path: Path, height: int) -> Iterator[Callable]:
    """Opens pages; at the end nothing may have gone wrong on one and nothing been asked of a network.

    Args:
        browser: Playwright's.
        path: the page; the function that comes out can open another.
        height: of the view, in pixels.
    """
    pages, troubles = [], []

    def opened(width=1000, path=path, **options):
        page = browser.new_page(viewport={"width": width, "height": height}, **options)
        page.on("request", lambda r: r.url.startswith(("file://", "data:")) or troubles.append(f"request: {r.url}"))
        page.on("console", lambda m: m.type in ("error", "warning") and troubles.append(f"console: {m.text}"))
        page.on("pageerror", lambda error: troubles.append(f"error: {error}"))
        page.goto(path.as_uri())
        pages.append(page)
        return page

    yield opened
    for page in pages:
        page.close()
    assert troubles == []


def widget_page(widget, folder: Path) -> Path:
    """Write a page with this widget on it."""
    state = {key: value for key, value in widget.get_state().items() if not key.startswith("_") and key != "layout"}
    path = folder / "page.html"
    path.write_text(WIDGET.format(js=widget._esm, css=widget._css, state=json.dumps(state)), encoding="utf-8")
    return path
