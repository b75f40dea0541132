#!/bin/sh
# Makes the virtual environment: make-venv.sh FOLDER PYTHON [PYTHON ...]
# Stops with one plain sentence where something is missing.
set -eu

venv=$1
shift
needed_gigabytes=8

stop() {
    echo "rmqnet can't be installed: $1" >&2
    exit 2
}

python=""
for candidate in "$@"; do
    if "$candidate" -c 'import sys; sys.exit(not ((3, 11) <= sys.version_info[:2] < (3, 14)))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
[ -n "$python" ] || stop "no Python 3.11, 3.12 or 3.13 was found: install one of them and try again."

"$python" -c 'import venv, ensurepip' 2>/dev/null ||
    stop "$python has no venv module: install it (Debian, Ubuntu: apt install python3-venv) and try again."

if [ ! -x "$venv/bin/python" ]; then
    free=$(df -Pk . | awk 'NR == 2 { print int($4 / 1048576) }')
    [ "$free" -ge "$needed_gigabytes" ] ||
        stop "only $free GB of disk are free here, $needed_gigabytes GB are needed: free some and try again."
    echo "Making $venv with $("$python" --version) ..."
    "$python" -m venv "$venv" || stop "$python could not make $venv: see the message above."
fi

echo "Installing the pinned packages (a few minutes on the first run) ..."
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dask,dev,register]" ||
    stop "the packages could not be installed: see the message above, check the network and try again."
touch "$venv/.ready"
