"""What the course runs, serves and shows: nothing that was not built here, and no string of the learner's as code."""

import http.client
import io
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import nbformat
import psutil
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from jupyterquiz.dynamic import renderer
from jupyterquiz.dynamic.loader import load_questions_script

from halfbits import command
from halfbits.grading.display import Dashboard, Text
from halfbits.grading.notebook import Verdict
from halfbits.grading.report import Check, CheckFailed, Report
from halfbits.questions import quiz
from halfbits.widgets.explorer.explorer import sources
from tests import pristine
from tests.browser.conftest import MAKE_LAB, Lab
from tests.loading import load
from tests.waiting import PATIENCE, wait_until

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
NOTEBOOKS = sorted(
    path for folder in ("notebooks", "solutions", "exercises") for path in (ROOT / folder).glob("*.ipynb")
)
NOTEBOOKS = [path for path in NOTEBOOKS if re.fullmatch(r"\d\d_[a-z_]+|glossary", path.stem)]
SCRIPTS = sorted((ROOT / "halfbits" / "widgets").glob("*/*.js"))
STATE = load(ROOT / "tools" / "build.py").WIDGET_STATE
# fmt: off
TAGS = {
    "div", "span", "p", "b", "i", "em", "strong", "code", "pre", "ul", "ol", "li", "table", "thead", "tbody", "tr",
    "th", "td", "details", "summary", "style",
}
# fmt: on
ATTRIBUTES = {"style", "class", "scope", "aria-label", "open", "id"}
HOSTILE = [
    "<script>x()</script>",
    "<img src=x onerror=x()>",
    "' onmouseover='x()",
    "\x1b]0;x\x07\x1b[2J",
    "]]>\x00\ufffe",
    "\ud800`<b>`",
    "&lt;\r\n\u202e",
]
# Never empty, since a report leaves out what is.
strings = (st.text(max_size=30) | st.sampled_from(HOSTILE)).map("x{}".format)


class Page(HTMLParser):
    """The tags and attributes of a piece of HTML."""

    def __init__(self, text: str):
        super().__init__()
        self.tags, self.attributes = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]


def is_printable(text: str) -> bool:
    text.encode("utf-8")
    return not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)


# ── what the grader shows ──


def report_of(text: str) -> Report:
    call = SimpleNamespace(text=text, outcome_text=text, expected_text=text, raised=None)
    return Report(text, "failed", text, [Check(text, False, call, text)], text, text, text, text, [text], text)


@given(strings)
@example("\x1b[2J")
@example("<script>")
def test_a_report_shows_the_learners_strings_as_text(text):
    report, harmless = report_of(text), report_of("x")
    page, plain = Page(report._repr_html_()), Page(harmless._repr_html_())
    assert [tag for tag in page.tags if tag != "code"] == [tag for tag in plain.tags if tag != "code"]
    assert set(page.attributes) == set(plain.attributes)
    assert is_printable(str(report))
    assert is_printable(report._repr_html_())
    assert is_printable("".join(CheckFailed(report)._render_traceback_()))


@given(strings)
@example("\x1b[2J<b>")
def test_the_dashboard_and_notes_show_them_as_text(text):
    board, plain = Dashboard({}, (text,)), Dashboard({}, ("x",))
    assert Page(board._repr_html_()).tags == Page(plain._repr_html_()).tags
    assert is_printable(str(board))
    assert not Page(Text("hint", text)._repr_markdown_()).tags
    assert is_printable(str(Text("hint", text)))


@given(strings)
@example("]]>\x00\ufffe\ud800\x1b")
def test_the_command_writes_whole_xml_and_no_control_character(text):
    verdicts = [Verdict(text, "failed", text, text, text), Verdict("ulp", "passed", "")]
    root = ET.fromstring(command._junit({f"{text}.ipynb": verdicts}))
    assert [case.find("failure") is not None for case in root.iter("testcase")] == [True, False]
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        command._print(Path(f"{text}.ipynb"), verdicts)
    assert is_printable(out.getvalue())


def test_the_widgets_make_html_of_the_banks_text_alone():
    writes = [
        (path.stem, line.strip())
        for path in SCRIPTS
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", line)
    ]
    assert writes == [
        ("bit_layout", "if (this.shownFormula !== formula) this.formula.innerHTML = this.shownFormula = formula;"),
        ("mock_interview", "element.innerHTML = html;"),
    ]
    text = (ROOT / "halfbits/widgets/mock_interview/mock_interview.js").read_text(encoding="utf-8")
    given_to_rich = set(re.findall(r"rich\(\"\w+\", ([^,)]+)", text))
    # `view.text`, which the learner wrote, is none of them.
    assert given_to_rich == {
        "view.html", "point.html", "view.because", "`<strong>The trap:</strong> ${view.trap}`",
        "question", "answer", "view.answer", "view.contract", "item.question",
    }  # fmt: skip


# ── what the notebooks carry ──


def read(path):
    """A notebook's text; where it is an exercise that a learner has worked in, there is nothing of ours to test."""
    text = path.read_text(encoding="utf-8")
    if path.parent.name == "exercises" and text != pristine.exercises()[path.name] and not os.environ.get("CI"):
        pytest.skip("an exercise notebook that you have worked in")
    return text


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_notebook_carries_nothing_that_runs_but_what_is_ours(path):
    notebook = nbformat.reads(read(path), as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not (path.parent.name == "exercises" and (outputs or STATE in notebook.metadata.get("widgets", {})))
    allowed = {"text/plain", "text/html", "image/png", "application/vnd.jupyter.widget-view+json"}
    for data in (output.get("data", {}) for output in outputs):
        assert set(data) <= allowed | {"application/javascript"}
        if "application/javascript" in data:
            assert data["application/javascript"] == quiz_script(path.stem, data["application/javascript"])
        page = Page(data.get("text/html", ""))
        assert set(page.tags) <= TAGS
        assert all(name in ATTRIBUTES or name.startswith("data-") for name in page.attributes)
        assert not re.search(r"url\(|@import|javascript:", data.get("text/html", ""))
    texts = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert not re.search(
        r"<(script|img|iframe|object|embed|link|style)\b|\]\(\s*javascript:|!\[[^\]]*\]\(\s*http", texts, re.I
    )
    assert "signature" not in notebook.metadata
    assert not any(cell.get("attachments") for cell in notebook.cells)


def quiz_script(lesson: str, script: str) -> str:
    """What jupyterquiz makes of our bank's questions, under the random name that a script has."""
    name = re.match(r"\s*var questions(\w+)=", script)[1]
    return renderer.build_script(*load_questions_script(quiz(lesson), name), name, load_js=True)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_widgets_in_a_notebook_run_our_scripts(path):
    widgets = nbformat.reads(read(path), as_version=4).metadata.get("widgets", {}).get(STATE, {"state": {}})["state"]
    ours = {(ROOT / "halfbits/widgets/bit_layout/bit_layout.js").read_text(encoding="utf-8")}
    ours |= {sources(str(script.with_suffix(".py")))[0] for script in SCRIPTS}
    for model in widgets.values():
        assert model["model_module"] in ("anywidget", "@jupyter-widgets/base", "@jupyter-widgets/controls")
        assert model["model_module"] != "anywidget" or model["state"]["_esm"] in ours
        assert set(Page(str(model["state"].get("value", ""))).tags) <= TAGS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_notebook_names_no_machine_and_no_secret(path):
    text = read(path)
    assert not re.search(r"(?<![\w.])/(home|root|Users|tmp|work)/|[A-Z]:\\\\Users", text)
    assert not re.search(r"gh[pousr]_\w{20}|AKIA[A-Z0-9]{16}|-----BEGIN|[?&]token=", text)


# ── what runs elsewhere ──


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_and_may_only_read(path):
    flow = yaml.safe_load(path.read_text())
    assert "pull_request_target" not in path.read_text()
    assert flow["permissions"] == {"contents": "read"}
    steps = [step for job in flow["jobs"].values() for step in job["steps"]]
    assert not any("permissions" in job for job in flow["jobs"].values())
    for step in steps:
        assert "uses" not in step or re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step["uses"])
        if "checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The JupyterLab that `make lab` starts."""
    running = Lab(ROOT, tmp_path_factory.mktemp("home"), MAKE_LAB)
    try:
        address = urlsplit(running.address())
        yield running, address.port, address.query.removeprefix("token=")
    finally:
        running.stop()


def ask(port: int, method: str, path: str, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    response.read()
    return response


def test_make_lab_listens_on_loopback_alone(server):
    running, port, _ = server
    make = psutil.Process(running._process.pid)
    listening = set()

    def listens():
        """What the kernel lists of sockets may lack one while other processes open and close theirs."""
        sockets = [each for process in make.children(recursive=True) for each in process.net_connections()]
        listening.update(each.laddr for each in sockets if each.status == psutil.CONN_LISTEN)
        return port in {place.port for place in listening}

    wait_until(listens, running._process)
    assert {place.ip for place in listening} <= {"127.0.0.1", "::1"}


def test_make_lab_asks_for_the_token_and_guards_against_other_sites(server):
    running, port, token = server
    assert len(token) >= 32
    assert ask(port, "GET", "/api/contents").status == 403
    assert ask(port, "GET", "/lab").status == 302
    assert ask(port, "GET", "/api/contents", Authorization=f"token {token}").status == 200
    login = ask(port, "GET", f"/lab?token={token}")
    cookies = "; ".join(value.split(";")[0] for name, value in login.getheaders() if name == "Set-Cookie")
    assert ask(port, "GET", "/api/contents", Cookie=cookies).status == 200
    assert ask(port, "POST", "/api/terminals", Cookie=cookies).status == 403  # without the page's own XSRF header
    assert not login.getheader("Access-Control-Allow-Origin")
    (file,) = running._runtime.glob("jpserver-*.json")
    assert file.stat().st_mode & 0o077 == 0


def test_the_environment_weakens_no_setting():
    text = "\n".join(path.read_text() for path in Path(sys.prefix, "etc", "jupyter").rglob("*.json"))
    assert not re.search(r"token|password|allow_|xsrf|\"ip\"|trust|root_dir", text, re.I)
    assert not [*Path(sys.prefix, "etc", "jupyter").rglob("*.py")]


def test_the_lock_is_audited_with_hashes():
    done = subprocess.run(
        ["make", "-n", "audit"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=PATIENCE
    )
    assert "--strict" in done.stdout
    assert "--require-hashes" in done.stdout
