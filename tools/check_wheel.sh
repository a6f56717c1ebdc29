#!/usr/bin/env bash
# Build the wheel, install it into an environment of its own with nothing but NumPy, and use it from another folder.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" wheel -q --no-deps --wheel-dir "$work" "$root"
"$work/venv/bin/pip" install -q "$work"/a3cs_ref-*.whl
cd "$work"
"$work/venv/bin/python" - <<'PY'
import sys

import a3cs_hw
import a3cs_ref
from a3cs_hw import export_c, golden_suite, hls_export
from a3cs_ref.rl.sources import shipped

assert "site-packages" in a3cs_ref.__file__ and "site-packages" in a3cs_hw.__file__, (a3cs_ref.__file__, a3cs_hw.__file__)
assert "numba" not in sys.modules and "matplotlib" not in sys.modules
assert "run_conv" in export_c.generate(golden_suite.tiny_network(16, "tiny16"), "agent")[0], "the C kernel is missing from the wheel"
assert any(name.startswith("teacher-breakout") for name in shipped()), "the shipped teacher is missing from the wheel"
assert all((hls_export.sources() / name).is_file() for name in hls_export.SOURCES), "the wheel lacks an HLS source"
print(f"a3cs-ref {a3cs_ref.__version__} from {a3cs_ref.__file__}; shipped: {', '.join(shipped())}")
PY
"$work/venv/bin/a3cs" info
"$work/venv/bin/python" -m a3cs_hw space > /dev/null
"$work/venv/bin/a3cs" golden check "$root/golden"
echo "the wheel works elsewhere, with NumPy alone"
