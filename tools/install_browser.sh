#!/usr/bin/env bash
# Install Debian's Chromium for the browser tests, where there is none and apt can do it.
set -u
[ -n "${CHROMIUM:-}" ] && exit 0  # the tests take the one that it names
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null && exit 0
if command -v apt-get >/dev/null; then
    root=""
    [ "$(id -u)" = 0 ] || root="sudo -n"
    echo "Installing Chromium for the browser tests."
    $root apt-get update -qq && $root apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null && exit 0
fi
echo "!!! No Chromium, and apt cannot install one: THE BROWSER TESTS WILL BE SKIPPED." >&2
