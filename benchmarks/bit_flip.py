"""How long a bit flip takes in the BitLayout widget, from the click to the repaint, in headless Chromium.

    python benchmarks/bit_flip.py        ($CHROMIUM names another Chromium than the first on the PATH)

Clicks 200 bits of the static page and prints, as medians and 95th percentiles, the time to a finished layout (handlers,
DOM, forced layout: what the widget does) and the time until the frame is painted, for which the browser waits for the
screen: up to 16.7 ms at 60 Hz, the first bound; the second is two of them.
"""

import statistics
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import FLAGS, find_chromium

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "bit-explorer.html").as_uri()
FLIPS = 200
BOUNDS = {"layout": 16.7, "repaint": 33.3}  # ms
MEASURE = """async (flips) => {
  const bits = [...document.querySelectorAll(".bl-bit")];
  const times = [];
  for (let i = 0; i < flips; i++) {
    // As a reader does it: one flip, then frames without one. Starts right after a frame, so nothing is pending.
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 30)));
    const start = performance.now();
    bits[(i * 7) % bits.length].click();
    document.body.getBoundingClientRect();
    const layout = performance.now() - start;
    await new Promise((done) => requestAnimationFrame(() => {
      // A message sent from a frame's callback arrives when the frame has been painted.
      const channel = new MessageChannel();
      channel.port1.onmessage = done;
      channel.port2.postMessage(null);
    }));
    times.push({layout, repaint: performance.now() - start});
  }
  return times;
}"""


def main() -> None:
    """Measure and print."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        page = browser.new_page(viewport={"width": 1000, "height": 900})
        page.goto(PAGE)
        page.evaluate(MEASURE, 20)  # warm-up
        flips = page.evaluate(MEASURE, FLIPS)
        browser.close()
    print(f"{FLIPS} flips, from the click on (milliseconds)")
    for what, bound in BOUNDS.items():
        times = sorted(flip[what] for flip in flips)
        late = times[int(0.95 * FLIPS) - 1]
        kept = "kept" if late <= bound else "OVER"
        print(f"{what:8} median {statistics.median(times):4.1f}, 95th {late:4.1f}   bound {bound} for the 95th: {kept}")


if __name__ == "__main__":
    main()
