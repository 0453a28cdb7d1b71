#!/usr/bin/env bash
# Prepares everything RelaxDesign needs and remembers it, so that a second call returns at once.
#   scripts/setup.sh app    virtual environment, packages, graphics libraries
#   scripts/setup.sh dev    the same plus the tools for tests and lint, and Chromium
#   scripts/setup.sh bench  the same as app plus the codes that the benchmarks compare with
# VENV and PYTHON may be set; default .venv and python3.
set -euo pipefail
cd "$(dirname "$0")/.."

level=${1:-app}
venv=${VENV:-.venv}
python=${PYTHON:-python3}

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
fail() {
    printf '%s\n' "$*" >&2
    exit 1
}
can_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }
apt_install() {
    say "Installing system packages: $*"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# ---- Python and its virtual environment ------------------------------------------------------------

make_venv() {
    if ! command -v "$python" >/dev/null; then
        can_install || fail "Python 3.11 or newer is needed and '$python' was not found." \
            "On Debian or Ubuntu: sudo apt-get install python3 python3-venv"
        apt_install python3 python3-venv
    fi
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "Python 3.11 or newer is needed; '$python' is $("$python" -V 2>&1)." \
            "Name a newer one: make app PYTHON=python3.12"
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        can_install || fail "'$python' cannot make virtual environments." \
            "On Debian or Ubuntu: sudo apt-get install python3-venv"
        apt_install python3-venv
    fi
    say "Creating $venv"
    "$python" -m venv "$venv"
}

[ -x "$venv/bin/python" ] && "$venv/bin/python" -c 'import pip' 2>/dev/null || make_venv

# Programs are called as "python -m …" all along: the scripts in bin/ name the folder that they were made in.

# ---- Python packages -------------------------------------------------------------------------------

# The stamp holds what was installed from where: a changed requirement or a moved folder installs anew.
stamp="$venv/.relaxdesign-$level"
wanted="$(pwd) $(cat requirements.txt pyproject.toml | cksum)"
installed() { [ "$(cat "$venv/.relaxdesign-$1" 2>/dev/null)" = "$wanted" ]; }

if ! installed "$level" && ! { [ "$level" = app ] && { installed dev || installed bench; }; }; then
    say "Installing Python packages into $venv (the first time takes some minutes)"
    # torch first: its exact version is fixed before other packages can ask for "any torch".
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$(grep -o '^torch==[^ ]*' requirements.txt)"
    extra=""
    [ "$level" = app ] && extra="[campaign]" || extra="[$level]"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable ".$extra"
    say "Compiling the 3D solver"
    "$venv/bin/python" -c 'from relaxdesign.physics.fem import kernels; kernels.prepare()'
    printf '%s' "$wanted" >"$stamp"
fi

# ---- System libraries ------------------------------------------------------------------------------

have_library() { ldconfig -p 2>/dev/null | grep -q "$1" || /sbin/ldconfig -p 2>/dev/null | grep -q "$1"; }
if [ "$(uname)" = Linux ]; then
    missing=()
    have_driver() { compgen -G '/usr/lib*/*/dri/swrast_dri.so' || compgen -G '/usr/lib*/dri/swrast_dri.so' ||
        have_library 'libgallium'; }
    have_library 'libEGL\.so\.1' || missing+=(libegl1)
    have_driver >/dev/null || missing+=(libgl1-mesa-dri)
    if [ ${#missing[@]} -gt 0 ]; then
        if ! { can_install && apt_install "${missing[@]}"; }; then
            say "3D pictures are rendered by the browser only: the graphics libraries ${missing[*]} are missing."
            say "On Debian or Ubuntu: sudo apt-get install ${missing[*]}"
        fi
    fi
fi

# What Gmsh needs, which makes smoothed meshes and opens exported files; without it those tests are skipped.
if [ "$level" = dev ] && [ "$(uname)" = Linux ]; then
    missing=()
    for pair in GLU.so.1:libglu1-mesa Xft.so.2:libxft2 Xcursor.so.1:libxcursor1 Xinerama.so.1:libxinerama1 \
        Xrender.so.1:libxrender1 Xfixes.so.3:libxfixes3; do
        have_library "lib${pair%%:*}" || missing+=("${pair#*:}")
    done
    if [ ${#missing[@]} -gt 0 ] && ! { can_install && apt_install "${missing[@]}"; }; then
        say "Gmsh is not tested with: ${missing[*]} are missing."
    fi
fi

# CalculiX solves exported meshes and cards; without it those tests are skipped.
if [ "$level" = dev ] && [ "$(uname)" = Linux ] && ! command -v ccx >/dev/null; then
    { can_install && apt_install calculix-ccx; } ||
        say "Exported meshes are not solved in the tests: CalculiX is missing (Debian and Ubuntu: calculix-ccx)."
fi

if [ "$level" = dev ] && ! command -v chromium chromium-browser google-chrome >/dev/null; then
    can_install || fail "The browser test needs Chromium. On Debian or Ubuntu: sudo apt-get install chromium"
    apt_install chromium
fi
