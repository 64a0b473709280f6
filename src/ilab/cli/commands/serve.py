"""`ilab model serve`: a model behind a local port until Ctrl-C."""

from __future__ import annotations

import ipaddress
import sys
import time
from pathlib import Path

import click

from ilab.base import hardware
from ilab.cli import model_choice, output
from ilab.cli.options import load_config, set_option, settings_flags
from ilab.config.load import Loaded
from ilab.errors import ConfigError, MissingHardware
from ilab.records.models import ModelDir
from ilab.serving import engine, launch, ready
from ilab.serving.settings import ServeSettings


@click.command("serve")
@click.option(
    "--model-path",
    "--model",
    "named",
    metavar="PATH_OR_NAME",
    default="",
    help="Model to serve: a name in the store, a folder or a .gguf file.  [default: the newest tuned model, else the "
    "embedded one]",
)
@settings_flags(
    {
        "--host": "serving.host",
        "-p,--port": "serving.port",
        "--backend": "serving.engine",
        "--max-ctx-size": "serving.context_size",
        "--num-threads": "serving.threads",
        "--gpus": "serving.gpus",
    }
)
@click.option(
    "--log-file", type=click.Path(dir_okay=False, path_type=Path), help="File for what the engine says; it is appended."
)
@set_option
@click.pass_context
def serve(ctx: click.Context, named: str, log_file: Path | None) -> None:
    """Starts a local server for a model.

    The server speaks the OpenAI API. It runs until Ctrl-C or SIGTERM; when the engine dies the command fails.
    """
    loaded = load_config(ctx)
    settings = loaded.config.serving
    _check_host(settings.host)
    ready.check_port(settings.host, settings.port)
    chosen = model_choice.choose(loaded, named=named)
    name, _ = engine.chosen_engine(chosen.model, settings)
    _check_gpus(settings, name)
    if chosen.why:
        output.tell(f"model: {chosen.model.name} ({chosen.why})")
    output.tell(_using(chosen.model, settings, name))
    output.tell("Starting server process")
    _serve(chosen.model, settings, loaded, log_file)
    output.tell("\nServer stopped." if output.is_terminal(sys.stderr) else "Server stopped.")  # after ^C


def _serve(model: ModelDir, settings: ServeSettings, loaded: Loaded, log_file: Path | None) -> None:
    folder = loaded.paths.logs / f"serve-{settings.port}"
    (folder / "engine.log").unlink(missing_ok=True)  # of an earlier server: nobody else has this port now

    def tell(endpoint: engine.Endpoint) -> None:
        output.tell(f"After application startup complete see {endpoint.base_url} for API.")
        output.tell("Press CTRL+C to shut down the server.")

    engine.serve_forever(
        model, settings=settings, folder=folder, state_dir=loaded.paths.engines, log=log_file, on_ready=tell
    )


def _check_host(host: str) -> None:
    """Refuse to serve to a network: there is neither encryption nor a key yet."""
    try:
        safe = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        safe = False
    if not safe:
        raise ConfigError(
            f"will not serve on `{host}`: without encryption and keys, anybody who reaches it could use the model",
            hint="keep 127.0.0.1; come through `ssh -L PORT:127.0.0.1:PORT`, or a proxy with TLS and keys",
        )


def _check_gpus(settings: ServeSettings, name: str) -> None:
    if not settings.gpus:
        return
    if name != "vllm":
        raise ConfigError(f"--gpus is for the vllm engine, and {name} would run this model", hint="add --backend vllm")
    found = len(hardware.gpus())
    if settings.gpus > found:
        raise MissingHardware(
            f"--gpus asks for {settings.gpus}, and this machine has {found}", hint="`ilab system info` lists them"
        )


def _using(model: ModelDir, settings: ServeSettings, name: str) -> str:
    """The first line of the reference's server: model, layers on a GPU, context."""
    now = time.time()
    stamp = f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(now))},{int(now % 1 * 1000):03d}"
    context = launch.resources(model, settings, 0).context
    how = "-1 gpu-layers" if name == "llama-cpp" else f"the {name} engine"
    return f"INFO {stamp} ilab.serve: Using model '{model.name}' with {how} and {context} max context size."
