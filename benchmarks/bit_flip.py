"""How long a bit flip takes in the BitLayout widget: from the click to a finished layout, in headless Chromium.

    python benchmarks/bit_flip.py [path/to/chromium]

Clicks 200 bits of the static page, with all work done in the click (handlers, DOM, forced layout), and prints the
median and the 95th percentile. One frame at 60 Hz is 16.7 ms. Painting comes after layout and is not included.
"""

import shutil
import statistics
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "bit-explorer.html").as_uri()
FLIPS = 200
BOUND = 16.7  # ms, a frame
MEASURE = """async (flips) => {
  const bits = [...document.querySelectorAll(".bl-bit")];
  const times = [];
  for (let i = 0; i < flips; i++) {
    // As a reader does it: one flip, then frames without one. Starts right after a frame, so nothing is pending.
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 30)));
    const start = performance.now();
    bits[(i * 7) % bits.length].click();
    document.body.getBoundingClientRect();
    times.push(performance.now() - start);
  }
  return times;
}"""


def main() -> None:
    """Measure and print."""
    chromium = sys.argv[1] if len(sys.argv) > 1 else shutil.which("chromium")
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        page = browser.new_page(viewport={"width": 1000, "height": 900})
        page.goto(PAGE)
        page.evaluate(MEASURE, 20)  # warm-up
        times = sorted(page.evaluate(MEASURE, FLIPS))
        browser.close()
    late = times[int(0.95 * FLIPS) - 1]
    print(f"{FLIPS} flips, from click to layout")
    print(f"median {statistics.median(times):.1f} ms, 95th percentile {late:.1f} ms, worst {times[-1]:.1f} ms")
    print(f"bound {BOUND} ms for the 95th percentile: {'kept' if late <= BOUND else 'OVER'}")


if __name__ == "__main__":
    main()
