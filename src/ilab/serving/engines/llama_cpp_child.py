"""The llama.cpp engine's process: load a GGUF file and serve the OpenAI API until told to stop.

A fault in the native code ends this process only, and its parent reports it with the last lines of the log.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from ilab.base import lazy
from ilab.serving.engines import child

_PROMPT_CACHE_MIB = 512
"""Memory for the states of earlier prompts; the library's default is 8 GiB."""


def parameters(options: argparse.Namespace) -> Any:
    """The library's parameters for `options`. Its context is shared out to the slots, so it gets all of them."""
    xllamacpp = lazy.need("xllamacpp", feature="the llama.cpp engine", extra="serve")
    params = xllamacpp.CommonParams()
    params.model.path = options.model
    params.model_alias = {options.name}
    params.n_parallel = options.parallel
    params.n_ctx = options.context * options.parallel
    params.cpuparams.n_threads = options.threads
    params.cpuparams_batch.n_threads = options.threads
    params.hostnames = [options.socket or options.host]
    params.port = options.port
    params.use_jinja = True
    params.cache_prompt = True
    params.cache_ram_mib = _PROMPT_CACHE_MIB
    params.endpoint_metrics = True
    params.endpoint_slots = False  # it would show one user's prompts to another
    params.ui = False
    params.cors_origins = ""  # the default lets any web page that is open in a browser read answers
    return params


def _server(params: Any) -> Any:
    """Load the model and listen; the requests are served by threads of the library."""
    return lazy.need("xllamacpp", feature="the llama.cpp engine", extra="serve").Server(params)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; 1 when the model cannot be loaded or the address not be used."""
    parser = child.parser("serve a GGUF model with llama.cpp")
    parser.add_argument("--parallel", type=int, required=True, help="requests worked on at the same time")
    options = parser.parse_args(arguments)
    child.end_with_parent()
    params = parameters(options)
    try:
        server = _server(params)
    except (RuntimeError, ValueError) as error:
        sys.stderr.write(f"cannot serve {options.model}: {error}\n")
        return 1
    child.wait_for_signal()
    del server
    return 0


if __name__ == "__main__":
    sys.exit(main())
