"""Drive the reference's `full` knowledge pipeline; runs under the reference's interpreter, called by sdg_reference.py.

    PYTHON reference_run.py --rows DIR --out DIR --url URL [--eval]

`--rows` holds one JSONL file a leaf, in the form that the reference's own preprocessing writes. Packages that only
convert documents or choose subsets are not needed for this, so they may be absent: they are imported as empty ones.
"""

from __future__ import annotations

import argparse
import importlib.abc
import importlib.machinery
import json
import sys
import time
import types
from pathlib import Path
from typing import Any

_ASIDE = ("docling", "docling_core", "h5py", "numba", "submodlib", "transformers")


class _Empty(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives an empty module, whose every name is an empty class, for a package that is not installed."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if name.split(".")[0] in _ASIDE else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        module = types.ModuleType(spec.name)
        module.__path__ = []

        def missing(name: str) -> type:
            if name.startswith("__"):
                raise AttributeError(name)
            return type(name, (), {})

        module.__getattr__ = missing  # type: ignore[method-assign]
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        return


def main() -> int:
    """Generate; print the seconds of the generation alone."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--eval", action="store_true", help="the multiple-choice benchmark as well")
    asked = parser.parse_args()
    sys.meta_path.append(_Empty())  # after the real finders: what is installed is used
    import openai  # type: ignore[import-not-found, unused-ignore]

    sdg: Any = importlib.import_module("instructlab.sdg.generate_data")
    client = openai.OpenAI(base_url=asked.url, api_key="none", timeout=600)
    common = {"model_family": "mixtral", "model_id": "scripted", "num_cpus": 10, "batch_size": 8}
    began = time.perf_counter()
    sdg.generate_taxonomy(
        client, str(asked.rows), str(asked.out / "generated"), pipeline="full",
        checkpoint_dir=str(asked.out / "checkpoints"), console_output=False, **common,
    )  # fmt: skip
    if asked.eval:
        sdg.generate_taxonomy_eval(client, str(asked.rows), str(asked.out / "eval"), "x", **common)
    print(json.dumps({"generation_seconds": round(time.perf_counter() - began, 3)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
