#!/usr/bin/env bash
# Make a virtual environment from requirements.txt: with uv where it is installed, else with venv and pip.
# Usage: [PYTHON=/path/to/python] tools/make_env.sh FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$1

# The caller may have switched bytecode off; without it TensorFlow takes three times as long to import.
unset PYTHONDONTWRITEBYTECODE PYTHONPATH

candidates=${PYTHON:-python3 python3.12 python3.13 python3.11 python}
supported='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'
python=
for candidate in $candidates; do
    # A name on the PATH may be a shim that does not run, so ask it.
    if "$candidate" -c "$supported" >/dev/null 2>&1; then
        python=$(command -v "$candidate")
        break
    fi
done
if [ -z "$python" ]; then
    echo "Half the Bits needs Python 3.11, 3.12 or 3.13." >&2
    echo "Tried: $candidates. Install one of these Pythons, or name it: make setup PYTHON=/path/to/python3.12" >&2
    exit 1
fi
echo "Making $venv with $("$python" --version). It takes some minutes and 3 GB."

if command -v uv >/dev/null 2>&1; then
    uv venv --quiet --clear --python "$python" "$venv"
    uv pip install --quiet --python "$venv/bin/python" --require-hashes --compile-bytecode --requirement requirements.txt
    uv pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation --editable .
else
    "$python" -m venv --clear "$venv"
    "$venv/bin/python" -m pip install --quiet --require-hashes --compile --requirement requirements.txt
    "$venv/bin/python" -m pip install --quiet --no-deps --no-build-isolation --editable .
fi

# Without this JupyterLab greets everybody with a question about its news feed, and asks the network for it.
settings=$venv/share/jupyter/lab/settings
mkdir -p "$settings"
echo '{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}}' \
    >"$settings/overrides.json"

# The course uses nbgrader's preprocessors; its menu, buttons and server are for teachers, and slow the start.
mkdir -p "$venv/etc/jupyter/labconfig"
echo '{"disabledExtensions": {"@jupyter/nbgrader": true}}' >"$venv/etc/jupyter/labconfig/page_config.json"
echo '{"ServerApp": {"jpserver_extensions": {}}}' >"$venv/etc/jupyter/jupyter_server_config.d/nbgrader.json"
