"""What `ilab --help` loads, and that no command needs a heavy package to be imported."""

import json
import subprocess
import sys

import pytest

from ilab.cli.lazy import GroupEntry
from ilab.cli.main import TABLE

FORBIDDEN = {"torch", "transformers", "pydantic", "httpx", "yaml", "numpy", "rich"}
HEAVY = ("torch", "transformers", "xllamacpp", "gguf", "numpy", "vllm", "yamllint")
MOST_MODULES = 150


def python(code: str, *arguments: str, flags: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run `code` in a fresh interpreter."""
    return subprocess.run([sys.executable, *flags, "-c", code, *arguments], capture_output=True, text=True, check=True)


def modules_after(*arguments: str) -> set[str]:
    """Modules loaded once `ilab arguments...` has printed its help."""
    code = (
        "import json, sys\n"
        "from ilab.cli.main import cli\n"
        "try:\n    cli.main(sys.argv[1:])\n"
        "except SystemExit:\n    print(json.dumps(sorted(sys.modules)), file=sys.stderr)\n"
    )
    return set(json.loads(python(code, *arguments).stderr.splitlines()[-1]))


def plugins() -> set[str]:
    """Modules that the environment itself loads into every Python (`.pth` files); they are not ours to count."""
    code = "import sys; print(*sys.modules)"
    return set(python(code).stdout.split()) - set(python(code, flags=("-S",)).stdout.split())


@pytest.mark.parametrize("arguments", [[], ["--help"], ["config", "--help"], ["run", "--help"], ["--version"]])
def test_help_loads_little_and_no_command(arguments):
    loaded = modules_after(*arguments)
    assert {name.split(".")[0] for name in loaded} & FORBIDDEN == set()
    assert [name for name in loaded if name.startswith("ilab.cli.commands.")] == []
    assert len(loaded - plugins()) <= MOST_MODULES


def targets() -> list[str]:
    commands = [
        command for entry in TABLE for command in (entry.commands if isinstance(entry, GroupEntry) else [entry])
    ]
    return sorted({command.target.partition(":")[0] for command in commands})


@pytest.mark.parametrize("module", targets())
def test_a_command_can_be_imported_without_the_heavy_packages(module):
    code = f"import sys\nfor name in {HEAVY!r}:\n    sys.modules[name] = None\nimport {module}\n"
    assert python(code).stderr == ""


def test_importing_the_package_loads_none_of_its_rooms():
    code = "import ilab, sys; print([name for name in sys.modules if name.startswith('ilab.')])"
    assert python(code).stdout == "[]\n"
