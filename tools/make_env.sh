#!/usr/bin/env bash
# Make .venv from requirements.txt: with uv where it is installed, else with venv and pip.
# Usage: tools/make_env.sh [VENV_FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${1:-.venv}

# The caller may have switched bytecode off; without it TensorFlow takes three times as long to import.
unset PYTHONDONTWRITEBYTECODE PYTHONPATH

# The Pythons that TensorFlow 2.21 has wheels for. A name on the PATH may be a shim that does not run.
supported='import sys; sys.exit(not ((3, 10) <= sys.version_info[:2] <= (3, 13)))'
find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.12 python3.13 python3.11 python3.10 python}; do
        if "$candidate" -c "$supported" >/dev/null 2>&1; then
            command -v "$candidate"
            return
        fi
    done
    {
        echo "Half the Bits needs Python 3.10, 3.11, 3.12 or 3.13 (TensorFlow 2.21 has wheels for no other)."
        echo "Tried: ${PYTHON:-python3 python3.12 python3.13 python3.11 python3.10 python}."
        echo "Install one of them, or name it: make setup PYTHON=/path/to/python3.12"
    } >&2
    return 1
}
python=$(find_python)
echo "Making $venv with $("$python" --version) ($python). It holds 2 GB; the first time takes some minutes."

if command -v uv >/dev/null 2>&1; then
    uv venv --quiet --allow-existing --python "$python" "$venv"
    export VIRTUAL_ENV=$PWD/$venv
    uv pip sync --quiet --require-hashes --compile-bytecode requirements.txt
    uv pip install --quiet --no-deps --no-build-isolation --editable .
else
    "$python" -m venv --upgrade-deps "$venv" >/dev/null 2>&1 || "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --require-hashes --compile --requirement requirements.txt
    "$venv/bin/python" -m pip install --quiet --no-deps --no-build-isolation --editable .
fi
"$venv/bin/python" -m pip --version >/dev/null 2>&1 || true
echo "Done: $venv"
