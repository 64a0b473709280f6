"""The GGUF header reader against files written by the gguf package, cut off and corrupted ones."""

from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ilab.errors import UserFileError
from ilab.models import gguf_header


def write_gguf(path: Path) -> Path:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(128)
    writer.add_name("tiny")
    writer.add_float32("llama.rope.freq_base", 10000.0)
    writer.add_bool("tokenizer.ggml.add_bos_token", False)
    writer.add_token_list(["a", "b", "Ġc", "日本"])
    writer.add_token_types([1, 1, 3, 1])
    writer.add_uint64("x.big", 2**40)
    writer.add_tensor("token_embd.weight", np.arange(256, dtype=np.float32).reshape(4, 64))
    quantised = gguf.quants.quantize(np.ones((2, 64), dtype=np.float32), gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("output.weight", quantised, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_gguf(tmp_path_factory.mktemp("gguf") / "a.gguf").read_bytes()


def test_reads_what_the_gguf_package_wrote(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "a.gguf")
    header = gguf_header.read(path)
    assert header.architecture == "llama"
    assert header.of_architecture("context_length") == 128
    assert header.of_architecture("absent", 7) == 7
    assert header.values["tokenizer.ggml.tokens"] == ["a", "b", "Ġc", "日本"]
    assert header.values["tokenizer.ggml.add_bos_token"] is False
    assert header.values["x.big"] == 2**40
    assert header.types["tokenizer.ggml.token_type"] == (gguf_header.ARRAY, 5)
    assert [(t.name, t.shape, t.type_name) for t in header.tensors] == [
        ("token_embd.weight", (4, 64), "F32"),
        ("output.weight", (2, 64), "Q8_0"),
    ]
    assert header.parameters == 256 + 128
    peer = gguf.GGUFReader(path)
    assert [(t.start, t.size) for t in header.tensors] == [(t.data_offset, t.n_bytes) for t in peer.tensors]


def test_long_arrays_can_be_skipped(tmp_path: Path) -> None:
    header = gguf_header.read(write_gguf(tmp_path / "a.gguf"), arrays=False)
    assert header.values["tokenizer.ggml.tokens"] == []
    assert len(header.tensors) == 2


def test_block_sizes_are_those_of_the_gguf_package() -> None:
    for number, (name, values, width) in gguf_header.TENSOR_TYPES.items():
        kind = gguf.GGMLQuantizationType(number)
        assert (kind.name, gguf.GGML_QUANT_SIZES[kind]) == (name, (values, width))


def test_every_cut_is_noticed(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cut.gguf"
    for length in range(len(content) - 32):  # the last bytes may be padding
        path.write_bytes(content[:length])
        with pytest.raises(UserFileError) as caught:
            gguf_header.read(path)
        assert str(path) in caught.value.message


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(changes=st.dictionaries(st.integers(0, 600), st.integers(0, 255), min_size=1, max_size=8))
def test_corrupt_bytes_never_crash_the_reader(tmp_path: Path, content: bytes, changes: dict[int, int]) -> None:
    changed = bytearray(content)
    for at, value in changes.items():
        changed[at % len(changed)] = value
    path = tmp_path / "corrupt.gguf"
    path.write_bytes(changed)
    try:
        header = gguf_header.read(path)
    except UserFileError as error:
        assert error.faults[0].path == str(path)
    else:
        assert all(tensor.start + tensor.size <= len(changed) for tensor in header.tensors)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "cannot be read"),
        (b"PK\x03\x04 zip", "does not begin with GGUF"),
        (b"GGUF\x00\x00\x00\x03" + bytes(16), "version"),
        (b"GGUF\x03\x00\x00\x00" + b"\xff" * 16, "more than the file can hold"),
    ],
)
def test_other_files_are_refused_with_a_reason(tmp_path: Path, data: bytes, why: str) -> None:
    path = tmp_path / "other.gguf"
    path.write_bytes(data)
    with pytest.raises(UserFileError) as caught:
        gguf_header.read(path)
    assert why in caught.value.details[0]


def test_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UserFileError, match="absent"):
        gguf_header.read(tmp_path / "absent.gguf")
