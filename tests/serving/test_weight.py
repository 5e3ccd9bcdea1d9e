from __future__ import annotations

import subprocess
import sys

HEAVY = ("sklearn", "skl2onnx", "onnx", "scipy", "sqlalchemy", "jupyterhub", "jupyterhub_mesos.wire")


def test_the_model_server_imports_nothing_that_it_does_not_serve_with() -> None:
    code = (
        "import sys, jupyterhub_mesos.serving.__main__\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )

    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
