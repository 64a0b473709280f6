"""The safetensors reader and writer against the safetensors package."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from ilab.errors import UserFileError
from ilab.models import safetensors_file


def test_reads_what_the_package_wrote(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    wide = np.arange(6, dtype=np.float32).reshape(2, 3)
    save_file({"wide": wide, "half": wide.astype(np.float16), "double": wide.astype(np.float64)}, path)
    found = safetensors_file.read_header(path)
    assert found["wide"].shape == (2, 3)
    for name in ("wide", "half", "double"):
        np.testing.assert_array_equal(safetensors_file.load(found[name]), wide)


def test_bfloat16_is_widened_exactly(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file as save_torch

    values = torch.tensor([1.0, -2.5, 3.140625, 1e30, 0.0])
    save_torch({"a": values.to(torch.bfloat16)}, tmp_path / "model.safetensors")
    (tensor,) = safetensors_file.read_header(tmp_path / "model.safetensors").values()
    np.testing.assert_array_equal(safetensors_file.load(tensor), values.to(torch.bfloat16).float().numpy())


@pytest.mark.parametrize("half", [False, True])
def test_the_package_reads_what_we_write(tmp_path: Path, half: bool) -> None:
    path = tmp_path / "model.safetensors"
    tensors = {"b": np.full((3, 5), 1.5, dtype=np.float32), "a": np.arange(4, dtype=np.float32)}
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    safetensors_file.write(path, shapes, iter(tensors.values()), half=half)
    back = load_file(path)
    assert {name: tensor.dtype for name, tensor in back.items()} == dict.fromkeys(
        tensors, np.dtype(np.float16 if half else np.float32)
    )
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(back[name], tensor)


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"old")

    def broken() -> object:
        yield np.zeros(2, dtype=np.float32)
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        safetensors_file.write(path, {"a": (2,), "b": (2,)}, broken(), half=False)  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_every_cut_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"a": np.zeros(8, dtype=np.float32)}, path)
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(UserFileError) as caught:
            safetensors_file.read_header(path)
        assert "damaged" in caught.value.details[0]


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(changes=st.dictionaries(st.integers(0, 120), st.integers(0, 255), min_size=1, max_size=6))
def test_corrupt_bytes_never_crash_the_reader(tmp_path: Path, changes: dict[int, int]) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"a": np.zeros(8, dtype=np.float32), "b": np.zeros((2, 2), dtype=np.float16)}, path)
    content = bytearray(path.read_bytes())
    for at, value in changes.items():
        content[at] = value
    path.write_bytes(content)
    try:
        found = safetensors_file.read_header(path)
    except UserFileError:
        return
    assert all(tensor.start + tensor.size <= len(content) for tensor in found.values())


def test_whole_numbers_are_refused(tmp_path: Path) -> None:
    save_file({"a": np.zeros(2, dtype=np.int64)}, tmp_path / "model.safetensors")
    (tensor,) = safetensors_file.read_header(tmp_path / "model.safetensors").values()
    with pytest.raises(UserFileError) as caught:
        safetensors_file.load(tensor)
    assert "I64" in caught.value.details[0]


def test_a_header_that_points_backwards_is_refused(tmp_path: Path) -> None:
    raw = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]}}).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + bytes(8))
    with pytest.raises(UserFileError):
        safetensors_file.read_header(path)
