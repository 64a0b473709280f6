"""Print the longest modules and functions: a list to read, not a gate. Usage: python bench/sizes.py [count]"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent / "src" / "ilab"


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    modules, functions = [], []
    for path in sorted(ROOT.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        name = path.relative_to(ROOT).as_posix()
        modules.append((len(text.splitlines()), name))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                functions.append((length, f"{name}:{node.lineno} {node.name}"))
    for title, found in (("modules", modules), ("functions", functions)):
        lengths = sorted(length for length, _ in found)
        print(
            f"{title}: {len(found)}, median {lengths[len(lengths) // 2]}, p90 {lengths[len(lengths) * 9 // 10]} lines"
        )
        for length, name in sorted(found, reverse=True)[:count]:
            print(f"  {length:5} {name}")


if __name__ == "__main__":
    main()
