"""The two workers of lesson 03: they see nobody, leave nothing behind, and reduce what they say they reduce."""

import contextlib
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from halfbits import multiworker
from halfbits.loopback import NOT_POSSIBLE
from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parent.parent


def apart(code):
    """Runs Python code in a network of its own; what it prints."""
    command = [sys.executable, "-m", "halfbits.loopback", sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    if done.returncode == NOT_POSSIBLE:
        pytest.skip(f"no network namespaces here: {done.stderr}")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def nothing_left_behind(tmp_path, monkeypatch):
    """At the end none of the workers that the test started may be alive; a killed one may take a moment to go."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # the workers' folder is on their command lines
    yield
    deadline = time.monotonic() + 10
    while found := list(_running(str(tmp_path).encode())):
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def _running(mark):
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if mark in (text := command.read_bytes()) and b"halfbits.multiworker" in text:
                yield text


# Some kernels put tunnels into every new network (tunl0, sit0); those are down.
INTERFACES_THAT_ARE_UP = """
import fcntl, socket, struct
GET_FLAGS, UP = 0x8913, 1
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    for _, name in socket.if_nameindex():
        answer = fcntl.ioctl(any_socket, GET_FLAGS, struct.pack("16sH14x", name.encode(), 0))
        if struct.unpack("16sH14x", answer)[1] & UP:
            print(name)
"""


def test_a_network_apart_has_a_loopback_and_nothing_else():
    assert apart(INTERFACES_THAT_ARE_UP).split() == ["lo"]


def test_nobody_outside_is_reached_from_in_there():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = f"import socket; s = socket.socket(); print(s.connect_ex(('127.0.0.1', {port})) != 0)"
        assert apart(code).strip() == "True"
        with socket.socket() as here:
            assert here.connect_ex(("127.0.0.1", port)) == 0


def test_the_loopback_in_there_works():
    code = (
        "import socket; s = socket.create_server(('127.0.0.1', 0)); print(socket.socket().connect_ex(s.getsockname()))"
    )
    assert apart(code).strip() == "0"


def test_without_a_network_apart_nothing_is_started(monkeypatch):
    commands = []
    monkeypatch.setattr(multiworker, "_run", lambda command, output, seconds: commands.append(command) or NOT_POSSIBLE)
    with pytest.raises(multiworker.NotApart, match="open_ports=True"):
        multiworker.train()
    assert len(commands) == 1
    assert "halfbits.loopback" in commands[0]


def test_ports_are_free_and_differ():
    """In a network apart, where nobody else takes one in the meantime."""
    code = (
        "import socket; from halfbits.multiworker import _free_ports;"
        "print(len([socket.create_server(('127.0.0.1', port)) for port in _free_ports(5)]))"
    )
    assert apart(code).strip() == "5"


@pytest.mark.usefixtures("nothing_left_behind")
def test_the_time_limit_holds():
    with pytest.raises((multiworker.WorkersFailed, multiworker.NotApart), match=r"within 1\.5 s|network of their own"):
        multiworker.train(seconds=1.5)


def test_one_step_is_refused_before_anything_starts(monkeypatch):
    monkeypatch.setattr(multiworker, "_run_cluster", lambda *arguments: pytest.fail("something was started"))
    with pytest.raises(ValueError, match="at least 2"):
        multiworker.train(steps=1)


def test_import_is_light():
    code = "import sys, halfbits.multiworker; assert not {'tensorflow', 'keras', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=PATIENCE)


@pytest.mark.tensorflow
@pytest.mark.usefixtures("nothing_left_behind")
def test_two_workers_train_one_model():
    try:
        report = multiworker.train(steps=5, width=256)
    except multiworker.NotApart as reason:
        pytest.skip(str(reason))
    by_keras, fp32, bf16 = report.runs.values()
    assert all(run.workers_agree for run in report.runs.values())
    assert all(np.array_equal(a, b) for a, b in zip(by_keras.weights, fp32.weights, strict=True))
    assert any((a != b).any() for a, b in zip(fp32.weights, bf16.weights, strict=True))
    entries = sum(w.size for w in fp32.weights)
    assert (fp32.payload_bytes, bf16.payload_bytes) == (4 * entries, 2 * entries)
    assert (fp32.unchanged, bf16.unchanged) == (1, 1)
    if fp32.wire_bytes:
        assert fp32.wire_bytes / bf16.wire_bytes == pytest.approx(2, rel=0.1)


@pytest.mark.tensorflow
@pytest.mark.usefixtures("nothing_left_behind")
def test_a_worker_that_fails_is_reported():
    with pytest.raises((multiworker.WorkersFailed, multiworker.NotApart)) as caught:
        multiworker.train(policy="no such policy", steps=2, width=8)
    if caught.type is multiworker.WorkersFailed:
        assert "no such policy" in str(caught.value)
