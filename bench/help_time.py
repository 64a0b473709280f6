"""How long `ilab --help` takes against importing click alone, as a ratio within one run.

    python bench/help_time.py

Runs both in turn, 20 times, and compares the medians. The limit is 1.5 x the import of click + 30 ms. The result is
written to bench/results/help_time.json; the exit status is 1 when the limit is passed.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

PAIRS = 20
FACTOR, ALLOWANCE = 1.5, 0.030
RESULT = Path(__file__).parent / "results" / "help_time.json"


def command() -> list[str]:
    """The installed `ilab` script beside this interpreter, or the module when there is none."""
    script = Path(sys.executable).with_name("ilab")
    return [str(script)] if script.exists() else [sys.executable, "-m", "ilab"]


def seconds(argv: list[str]) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def cpu() -> str:
    """Model name of the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def measure() -> dict[str, object]:
    """Time both in turn, so that a busy machine slows both alike."""
    ours, baseline = [*command(), "--help"], [sys.executable, "-c", "import click"]
    seconds(ours), seconds(baseline)  # fill the file cache and write the bytecode
    pairs = [(seconds(ours), seconds(baseline)) for _ in range(PAIRS)]
    help_time = statistics.median(pair[0] for pair in pairs)
    click_time = statistics.median(pair[1] for pair in pairs)
    limit = FACTOR * click_time + ALLOWANCE
    return {
        "help_seconds": round(help_time, 4),
        "click_seconds": round(click_time, 4),
        "limit_seconds": round(limit, 4),
        "ratio": round(help_time / click_time, 3),
        "passed": help_time <= limit,
        "pairs": PAIRS,
        "command": "ilab --help" if len(ours) == 2 else "python -m ilab --help",
        "python": platform.python_version(),
        "click": importlib.metadata.version("click"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": cpu(),
    }


def main() -> int:
    """Measure, write the result, say it in one line."""
    result = measure()
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    sys.stdout.write(
        f"{result['command']}: {result['help_seconds']} s, import click: {result['click_seconds']} s, "
        f"ratio {result['ratio']}, limit {result['limit_seconds']} s: {'ok' if result['passed'] else 'TOO SLOW'}\n"
    )
    return 0 if result["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
