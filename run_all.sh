#!/usr/bin/env bash
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
set -euo pipefail
called_from=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")"
root=$PWD

help() {
    cat <<'TEXT'
Usage: ./run_all.sh [option]

  (none)       run the numbered notebooks in order, from data/raw/ to
               data/processed/ and figures/, and store their outputs
  --from NN    the same, starting at notebook NN on the tables stored now
  --dask ADDR  the same, the multiverse of notebook 06 on this Dask cluster
  --verify     run everything beside the project and say of each stored table,
               figure and notebook whether it was reproduced, byte for byte
  --check      style, pairs of .py and .ipynb, manifest, tests, and the stored
               outputs against a fresh run of every notebook; changes nothing
  --check-all  the same, and the long sweeps, which renew docs/sweeps/
  --changes [REF]   what moved since a git ref or in a FOLDER (default: the
               last other data), each move with a sentence and its cause
  --preview FOLDER  new rows, checked, and what they would move; no change
  --sync NB    bring the .py and the .ipynb of a notebook together after an edit
  --clean      remove the scratch copies of earlier runs from .chain/
  --lab ...    open JupyterLab in the same environment; the rest is passed on
  --explore    open the explorer as a page on this machine, until Ctrl+C
  --report     make report/, a site of the stored results that opens from disk
  --help       this text

Needs Python 3.11, 3.12 or 3.13 with pip, or uv, or an active environment of
environment.yml; installs requirements.lock into .venv/ (refresh: see
pyproject.toml). Settings of the analysis: parameters.yml.
TEXT
}

stop() {
    echo "$1" >&2
    exit "${2:-1}"
}

# Newest first. The Python of an active virtual environment may have no pip while another one has.
find_python_with() {
    local candidate
    for candidate in python3.13 python3.12 python3.11 python3 python /usr/bin/python3{.13,.12,.11,}; do
        if "$candidate" -c "import sys, venv, $1; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))" 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

# Prints what keeps the active conda environment from being the one of environment.yml.
missing_in_conda() {
    "$CONDA_PREFIX/bin/python" - environment.yml "$root/src" <<'PYTHON' 2>&1 || echo "its Python does not start"
import importlib.metadata, importlib.util, re, sys
if not (3, 11) <= sys.version_info[:2] <= (3, 13):
    sys.exit(print("its Python is not 3.11, 3.12 or 3.13"))
pinned = re.findall(r"- ([\w-]+?)(?:-base)?==?(\d[\w.]*)$", open(sys.argv[1]).read(), re.M)
for name, version in pinned:
    if name != "python":
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            sys.exit(print(f"it has no {name}"))
        if found != version:
            sys.exit(print(f"it has {name} {found}, not {version}"))
package = importlib.util.find_spec("peersupport")
if not package or not package.origin.startswith(sys.argv[2]):
    print("it does not hold this copy of the package (pip install --no-deps -e .)")
PYTHON
}

use_conda() {
    local missing
    [[ -n ${CONDA_PREFIX:-} && -x $CONDA_PREFIX/bin/python ]] || return 1
    missing=$(missing_in_conda)
    if [[ -n $missing ]]; then
        echo "not using the active conda environment: $missing"
        return 1
    fi
    echo "using the active conda environment"
    bin=$CONDA_PREFIX/bin
}

# The folder belongs to it too: an environment that was moved or copied does not work.
fingerprint() {
    { echo "$root"; cat requirements.lock pyproject.toml; } | cksum
}

install_with_uv() {
    [[ -w ${HOME:-/} ]] || export UV_NO_CACHE=1
    uv venv --quiet --python ">=3.11,<3.14" .venv
    uv pip install --quiet --python .venv/bin/python --require-hashes -r requirements.lock
    uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation -e .
}

how_to_get_python() {
    local get
    if [[ $(uname) == Darwin ]]; then
        get="brew install python@3.13"
    elif command -v apt-get >/dev/null; then # Debian, Ubuntu, and either under WSL
        get="sudo apt-get install python3 python3-venv python3-pip"
    elif command -v dnf >/dev/null; then
        get="sudo dnf install python3.13"
    else
        get="curl -LsSf https://astral.sh/uv/install.sh | sh"
    fi
    echo "No Python 3.11, 3.12 or 3.13 with pip was found; get one with \`$get\` and run again (uv, or conda with environment.yml, will do as well; on Windows, inside WSL)."
}

# Debian's Python has no ensurepip: where there is a pip, it installs into an environment without one.
install_with_pip() {
    local python pip
    if python=$(find_python_with pip); then
        "$python" -m venv --without-pip .venv
        pip=("$python" -m pip --python .venv/bin/python)
    elif python=$(find_python_with ensurepip); then
        "$python" -m venv .venv
        pip=(.venv/bin/python -m pip)
    else
        stop "$(how_to_get_python)"
    fi
    "${pip[@]}" install --quiet --no-input --disable-pip-version-check --require-hashes -r requirements.lock
    "${pip[@]}" install --quiet --no-input --disable-pip-version-check --no-deps --no-build-isolation -e .
}

use_venv() {
    bin=$root/.venv/bin
    if [[ -x $bin/python && $(cat .venv/stamp 2>/dev/null) == "$(fingerprint)" ]]; then
        echo "reusing .venv"
        return
    fi
    mkdir -p .chain
    exec 9>.chain/installing
    if command -v flock >/dev/null && ! flock --nonblock 9; then
        stop "Another run is making the environment in this folder; wait until it ends."
    fi
    echo "installing requirements.lock into .venv (once, a minute or two)"
    rm -rf .venv
    if command -v uv >/dev/null; then
        install_with_uv
    else
        install_with_pip
    fi
    fingerprint >.venv/stamp
    exec 9>&-
}

# Newer processors round the last digit otherwise; what every x86-64 processor since 2009 can do is the same on all.
plain_processor() {
    export NPY_DISABLE_CPU_FEATURES="X86_V3 X86_V4 AVX512_ICL AVX512_SPR" OPENBLAS_CORETYPE=Nehalem
    export GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2,-AVX2_Usable,-FMA,-FMA_Usable,-FMA4,-FMA4_Usable
}

# What a user's profile, machine or locale could change is set, so that results are the same everywhere.
isolate() {
    unset PYTHONPATH PYTHONHOME PYTHONSTARTUP MPLBACKEND MATPLOTLIBRC
    export PYTHONNOUSERSITE=1 PYTHONHASHSEED=0 PYTHONUTF8=1 PYDEVD_DISABLE_FILE_VALIDATION=1
    export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
    export TZ=UTC LC_ALL=C.UTF-8
    if [[ $(uname -m) == x86_64 ]]; then
        plain_processor
    fi
    export JUPYTER_PREFER_ENV_PATH=1 JUPYTER_PLATFORM_DIRS=1
    export JUPYTER_CONFIG_DIR=$root/.chain/jupyter/config JUPYTER_DATA_DIR=$root/.chain/jupyter/data
    export JUPYTER_RUNTIME_DIR=$root/.chain/jupyter/runtime
    export IPYTHONDIR=$root/.chain/ipython MPLCONFIGDIR=$root/.chain/matplotlib
    mkdir -p "$JUPYTER_RUNTIME_DIR" "$IPYTHONDIR" "$MPLCONFIGDIR"
    # A font cache made inside a notebook would leave its warning among the outputs.
    [[ -n $(ls "$MPLCONFIGDIR") ]] || "$bin/python" -c 'import matplotlib.font_manager' 2>/dev/null
}

# A folder that is named from where the caller stood, or from here.
place() {
    if [[ $1 != /* && -e $called_from/$1 ]]; then echo "$called_from/$1"; else echo "$1"; fi
}

task=(-m peersupport.chain run)
while (($#)); do
    case $1 in
        --from)
            [[ $# -ge 2 ]] || stop "--from needs the number of a notebook, such as --from 03." 2
            task+=(--from "$2")
            shift
            ;;
        --dask)
            [[ $# -ge 2 ]] || stop "--dask needs the address of a scheduler, such as --dask tcp://127.0.0.1:8786." 2
            export DASK_SCHEDULER_ADDRESS=$2
            shift
            ;;
        --verify) task=(-m peersupport.chain verify) ;;
        --check) task=(-m peersupport.chain check) ;;
        --check-all) task=(-m peersupport.chain check --all) ;;
        --changes)
            task=(-m peersupport.chain changes)
            if [[ $# -ge 2 && $2 != --* ]]; then
                task+=("$(place "$2")")
                shift
            fi
            ;;
        --preview)
            [[ $# -ge 2 ]] || stop "--preview needs a folder of new rows, such as --preview ../wave4." 2
            task=(-m peersupport.chain preview "$(place "$2")")
            shift
            ;;
        --lab)
            shift
            task=(-m jupyterlab "$@")
            [[ $EUID -ne 0 ]] || task+=(--allow-root)
            break
            ;;
        --sync)
            [[ $# -ge 2 ]] || stop "--sync needs a notebook, such as --sync notebooks/03_outcome_meta_analysis.ipynb." 2
            shift
            task=(-m jupytext --sync "$@")
            break
            ;;
        --clean) task=(-m peersupport.chain clean) ;;
        --report) task=(-m peersupport.report) ;;
        --explore) task=(-m peersupport.explorer.page) ;;
        --help | -h)
            help
            exit
            ;;
        *) stop "Unknown option $1; ./run_all.sh --help lists the options." 2 ;;
    esac
    shift
done

use_conda || use_venv
isolate
exec "$bin/python" "${task[@]}"
