"""`ilab system`: info."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from typing import Any

import click

import ilab
from ilab.base import hardware
from ilab.cli import output
from ilab.cli.options import json_option
from ilab.config import paths

_PACKAGES = (
    *("torch", "transformers", "tokenizers", "safetensors", "gguf", "xllamacpp", "vllm", "yamllint"),
    *("pdfplumber", "mammoth", "python-pptx"),
)
_GIB = 2**30


@click.command("info")
@json_option
def info(as_json: bool) -> None:
    """Displays the hardware specifications of your system.

    Also the versions of the packages that matter and the free disk space. Imports none of the heavy packages.
    """
    facts = _facts()
    if as_json:
        output.print_json(facts)
        return
    for name, value in facts.items():
        click.echo(f"{name}: {value}")


def _facts() -> dict[str, Any]:
    return _system() | _machine() | _versions() | _disk()


def _system() -> dict[str, Any]:
    facts: dict[str, Any] = {
        "sys.version": sys.version.replace("\n", " "),
        "sys.platform": sys.platform,
        "os.name": os.name,
        "platform.release": platform.release(),
        "platform.machine": platform.machine(),
        "platform.python_version": platform.python_version(),
    }
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    facts |= {f"os-release.{name}": release[name] for name in ("ID", "VERSION_ID", "PRETTY_NAME") if name in release}
    return facts


def _machine() -> dict[str, Any]:
    machine = hardware.read()
    facts: dict[str, Any] = {
        "cpu.name": machine.cpu,
        "cpu.cores": machine.cores,
        "memory.total": f"{machine.memory_total / _GIB:.2f} GB",
        "memory.available": f"{machine.memory_available / _GIB:.2f} GB",
        "gpu.count": len(machine.gpus),
    }
    for place, gpu in enumerate(machine.gpus):
        facts[f"gpu.{place}.name"] = gpu.name
        facts[f"gpu.{place}.total"] = f"{gpu.memory / _GIB:.2f} GB"
    return facts


def _versions() -> dict[str, Any]:
    return {"instructlab.version": ilab.__version__} | {f"{name}.version": _version(name) for name in _PACKAGES}


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _disk() -> dict[str, Any]:
    places = paths.find()
    return {
        "disk.data": str(places.data),
        "disk.data.free": output.size(hardware.free_disk(places.data)),
        "disk.cache.free": output.size(hardware.free_disk(places.cache)),
    }
