"""GGUF <-> safetensors on a tiny Llama, judged by transformers and by llama.cpp."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from tests.tiny_model import make_tiny_model
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from ilab.base.report import ListReporter
from ilab.errors import ConfigError, UserFileError
from ilab.models import gguf_header, safetensors_file
from ilab.models.convert import gguf_to_safetensors, safetensors_to_gguf
from ilab.models.embedded import ensure_safetensors
from ilab.models.probe import probe
from ilab.models.store import ModelStore

TEXTS = [
    "The brightest star in Phoenix is Ankaa, 82 light years away.\n\nIt was named in 1598.",
    "naïve — 日本語 don't",
] * 4
TRICKY = ["a\n\n1998  22\n\n\n3. x  ", "<|im_start|>user\nHi 42<|im_end|>", "naïve—ok ½ ² x²³ don't we'll", " lead"]

LLAMA_CPP = """
import json, sys, urllib.request
import xllamacpp
model, work = sys.argv[1], json.load(sys.stdin)
params = xllamacpp.CommonParams()
params.model.path, params.n_ctx, params.n_parallel, params.cpuparams.n_threads = model, 512, 1, 1
server = xllamacpp.Server(params)
def ask(route, body):
    data = json.dumps(body).encode()
    request = urllib.request.Request(server.listening_address + route, data, {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request))
ids = [ask("/tokenize", {"content": text, "parse_special": True})["tokens"] for text in work["texts"]]
greedy = {"n_predict": work["length"], "temperature": 0, "cache_prompt": False}
said = [ask("/completion", {"prompt": prompt, **greedy})["content"] for prompt in work["prompts"]]
print("ANSWER" + json.dumps({"ids": ids, "said": said}))
"""


def llama_cpp(model: Path, *, texts: list[str], prompts: list[str], length: int = 24) -> dict[str, list[object]]:
    """Token ids and greedy continuations of llama.cpp, in a process of its own."""
    pytest.importorskip("xllamacpp")
    run = subprocess.run(
        [sys.executable, "-c", LLAMA_CPP, str(model)],
        input=json.dumps({"texts": texts, "prompts": prompts, "length": length}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    lines = [line for line in run.stdout.splitlines() if line.startswith("ANSWER")]
    assert lines, run.stderr[-2000:]
    found: dict[str, list[object]] = json.loads(lines[-1].removeprefix("ANSWER"))
    return found


def logits(folder: Path, text: str = TEXTS[0]) -> torch.Tensor:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.no_grad():
        found: torch.Tensor = model(**tokenizer(text, return_tensors="pt")).logits
    return found


def greedy(folder: Path, prompts: list[str], length: int = 24) -> list[str]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    said = []
    for prompt in prompts:
        ids = tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
        out = model.generate(**ids, max_new_tokens=length, do_sample=False)[0][ids["input_ids"].shape[1] :]
        said.append(str(tokenizer.decode(out, skip_special_tokens=True)))
    return said


def split_digits(folder: Path) -> None:
    """Give the tokenizer of a folder SmolLM's way of splitting text."""
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text())
    digits = {"type": "Digits", "individual_digits": True}
    content["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [digits, content["pre_tokenizer"]]}
    path.write_text(json.dumps(content))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_tiny_model(tmp_path_factory.mktemp("tiny") / "tiny", texts=TEXTS)
    sharpen(folder)
    return folder


def sharpen(folder: Path) -> None:
    """Larger random weights, so that greedy choices are not ties."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1:
                weight.mul_(8)
            elif "norm" in name:
                weight.add_(torch.linspace(-0.3, 0.3, weight.numel()))
    model.save_pretrained(folder)


def weights(folder: Path) -> dict[str, np.ndarray]:
    return {name: safetensors_file.load(tensor) for name, tensor in safetensors_file.tensors_of(folder).items()}


def ids_of(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[list[int]]:
    return [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]


@pytest.mark.parametrize(("kind", "tolerance"), [("f32", 0.0), ("f16", 1e-3), ("q8_0", 2e-2)])
def test_there_and_back(tmp_path: Path, tiny: Path, kind: str, tolerance: float) -> None:
    report = ListReporter()
    file = safetensors_to_gguf(tiny, tmp_path / "m.gguf", kind=kind, report=report)
    back = gguf_to_safetensors(file, tmp_path / "back", report=report)
    before, after = weights(tiny), weights(back)
    assert before.keys() == after.keys()
    for name, values in before.items():
        np.testing.assert_allclose(after[name], values, rtol=0, atol=tolerance * max(1.0, np.abs(values).max()))
    if kind == "f32":
        torch.testing.assert_close(logits(back), logits(tiny), rtol=0, atol=0)
    assert report.events[-1]["done"] == report.events[-1]["total"] == len(before)
    model, same = probe(file), probe(back)
    assert (model.architecture, model.parameters, model.context_length) == ("llama", same.parameters, 2048)


def test_tokenizer_and_special_tokens_survive(tmp_path: Path, tiny: Path) -> None:
    back = gguf_to_safetensors(safetensors_to_gguf(tiny, tmp_path / "m.gguf", kind="f16"), tmp_path / "back")
    before, after = AutoTokenizer.from_pretrained(tiny), AutoTokenizer.from_pretrained(back)
    assert ids_of(after, TEXTS + TRICKY) == ids_of(before, TEXTS + TRICKY)
    assert (after.eos_token, after.eos_token_id, after.pad_token_id) == ("<|im_end|>", 2, 0)
    assert after.bos_token is None
    assert after.chat_template == before.chat_template
    generation = json.loads((back / "generation_config.json").read_text())
    assert (generation["eos_token_id"], generation["pad_token_id"]) == (2, 0)
    assert all(after.decode(ids) == text for ids, text in zip(ids_of(after, TRICKY), TRICKY, strict=True))


@pytest.mark.parametrize("digits", [False, True])
def test_llama_cpp_reads_and_says_the_same(tmp_path: Path, tiny: Path, digits: bool) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "tiny"))
    if digits:
        split_digits(folder)
    file = safetensors_to_gguf(folder, tmp_path / "m.gguf", kind="f32")
    prompts = ["The brightest star", "It was named in 1598"]
    found = llama_cpp(file, texts=TEXTS[:2] + TRICKY, prompts=prompts)
    assert found["ids"] == ids_of(AutoTokenizer.from_pretrained(folder), TEXTS[:2] + TRICKY)
    assert found["said"] == greedy(folder, prompts)
    back = gguf_to_safetensors(file, tmp_path / "back")
    assert ids_of(AutoTokenizer.from_pretrained(back), TRICKY) == found["ids"][2:]


def test_metadata_is_copied_from_a_model_of_the_family(tmp_path: Path, tiny: Path) -> None:
    like = safetensors_to_gguf(tiny, tmp_path / "like.gguf", kind="f16")
    tuned = Path(shutil.copytree(tiny, tmp_path / "tuned"))
    sharpen(tuned)
    file = safetensors_to_gguf(tuned, tmp_path / "tuned.gguf", like=like, kind="q8_0")
    first, second = gguf_header.read(like), gguf_header.read(file)
    changed = {key for key in first.values if first.values[key] != second.values[key]}
    assert changed == {"general.name", "general.file_type"}
    assert second.values["general.name"] == "tuned"
    assert first.types == second.types
    assert {tensor.type_name for tensor in second.tensors} == {"Q8_0", "F32"}
    back = weights(gguf_to_safetensors(file, tmp_path / "back"))
    for name, values in weights(tuned).items():
        np.testing.assert_allclose(back[name], values, rtol=0, atol=2e-2 * max(1.0, np.abs(values).max()))


def test_the_chat_template_of_the_folder_wins_over_the_copied_one(tmp_path: Path, tiny: Path) -> None:
    like = safetensors_to_gguf(tiny, tmp_path / "like.gguf", kind="f16")
    tuned = Path(shutil.copytree(tiny, tmp_path / "tuned"))
    (tuned / "chat_template.jinja").write_text("{{ messages }}")
    file = safetensors_to_gguf(tuned, tmp_path / "tuned.gguf", like=like, kind="f16")
    assert gguf_header.read(file).values["tokenizer.chat_template"] == "{{ messages }}"


def test_another_model_cannot_lend_its_metadata(tmp_path: Path, tiny: Path) -> None:
    other = make_tiny_model(tmp_path / "other", texts=TEXTS, hidden=32)
    like = safetensors_to_gguf(other, tmp_path / "like.gguf", kind="f16")
    with pytest.raises(UserFileError) as caught:
        safetensors_to_gguf(tiny, tmp_path / "m.gguf", like=like)
    assert "hidden 32 instead of 64" in caught.value.details[0]
    assert not (tmp_path / "m.gguf").exists()


def test_separate_output_matrix(tmp_path: Path, tiny: Path) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "untied"))
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model.config.tie_word_embeddings = False
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().flip(0).clone())
    model.save_pretrained(folder)
    assert "lm_head.weight" in weights(folder)
    file = safetensors_to_gguf(folder, tmp_path / "m.gguf", kind="f32")
    back = gguf_to_safetensors(file, tmp_path / "back")
    assert json.loads((back / "config.json").read_text())["tie_word_embeddings"] is False
    torch.testing.assert_close(logits(back), logits(folder), rtol=0, atol=0)


def test_half_precision_output(tmp_path: Path, tiny: Path) -> None:
    file = safetensors_to_gguf(tiny, tmp_path / "m.gguf", kind="f32")
    back = gguf_to_safetensors(file, tmp_path / "back", half=True)
    assert {tensor.dtype for tensor in safetensors_file.tensors_of(back).values()} == {"F16"}
    assert AutoModelForCausalLM.from_pretrained(back).dtype == torch.float16


def test_bfloat16_checkpoints_are_converted(tmp_path: Path, tiny: Path) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "bf16"))
    AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).save_pretrained(folder)
    back = gguf_to_safetensors(safetensors_to_gguf(folder, tmp_path / "m.gguf", kind="f32"), tmp_path / "back")
    for name, values in weights(folder).items():
        np.testing.assert_array_equal(weights(back)[name], values)


def test_rows_that_do_not_fit_blocks_stay_half_precision(tmp_path: Path) -> None:
    folder = make_tiny_model(tmp_path / "narrow", texts=TEXTS, hidden=40)
    kinds = {
        tensor.name: tensor.type_name
        for tensor in gguf_header.read(safetensors_to_gguf(folder, tmp_path / "m.gguf", kind="q8_0")).tensors
    }
    assert kinds["token_embd.weight"] == "F16"
    assert kinds["output_norm.weight"] == "F32"


def test_other_architectures_are_refused(tmp_path: Path, tiny: Path) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "other"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "gpt2"}))
    with pytest.raises(UserFileError) as caught:
        safetensors_to_gguf(folder, tmp_path / "m.gguf")
    assert "'gpt2'" in caught.value.details[0]
    writer = gguf.GGUFWriter(tmp_path / "granite.gguf", "granite")
    writer.add_tensor("a", np.zeros((2, 2), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(UserFileError) as caught:
        gguf_to_safetensors(tmp_path / "granite.gguf", tmp_path / "out")
    assert "'granite'" in caught.value.details[0]
    assert caught.value.hint


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"rope_parameters": {"rope_type": "llama3", "rope_theta": 1.0}}, "rotary"),
        ({"num_hidden_layers": 3}, "lacks 'blk.2"),
        ({"num_hidden_layers": 1}, "has 'blk.1"),
        ({"num_key_value_heads": 4}, "shape"),
        ({"hidden_size": "many"}, "number is wrong"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(
    tmp_path: Path, tiny: Path, change: dict[str, object], why: str
) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "m"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(UserFileError) as caught:
        safetensors_to_gguf(folder, tmp_path / "m.gguf")
    assert why in caught.value.details[0]


def test_other_tokenizers_are_refused(tmp_path: Path, tiny: Path) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "m"))
    content = json.loads((folder / "tokenizer.json").read_text())
    content["pre_tokenizer"] = {"type": "Whitespace"}
    (folder / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(UserFileError) as caught:
        safetensors_to_gguf(folder, tmp_path / "m.gguf")
    assert "byte-level BPE" in caught.value.details[0]


def test_an_unknown_kind_names_the_known_ones(tmp_path: Path, tiny: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        safetensors_to_gguf(tiny, tmp_path / "m.gguf", kind="q1")
    assert "q8_0" in caught.value.hint


def test_a_stored_gguf_is_dequantised_once(tmp_path: Path, tiny: Path) -> None:
    store = ModelStore(tmp_path / "store")
    folder = tmp_path / "source"
    safetensors_to_gguf(tiny, folder / "m.gguf", kind="q8_0")
    (folder / "LICENSE").write_text("terms")
    model = store.add_folder("embedded/tiny", folder, provenance={"licence": "MIT"})
    report = ListReporter()
    first = ensure_safetensors(store, model, report=report)
    assert (first.name, first.format) == ("embedded/tiny-safetensors", "safetensors")
    assert (first.path / "LICENSE").read_text() == "terms"
    said = len(report.events)
    assert said > 0
    assert ensure_safetensors(store, model, report=report) == first
    assert len(report.events) == said, "no second conversion"
    assert ensure_safetensors(store, first) == first
    entries = {entry.name: entry.record for entry in store.list()}
    assert entries["embedded/tiny-safetensors"].provenance["base_model"] == "embedded/tiny"
    assert entries["embedded/tiny-safetensors"].provenance["licence"] == "MIT"


def test_the_copy_follows_its_source(tmp_path: Path, tiny: Path) -> None:
    store = ModelStore(tmp_path / "store")
    file = safetensors_to_gguf(tiny, tmp_path / "My model.gguf", kind="f16")
    before = ensure_safetensors(store, probe(file))
    assert before.name == "converted/My-model-safetensors"
    first = {entry.name: entry.record.digest for entry in store.list()}
    safetensors_to_gguf(tiny, file, kind="q8_0")
    ensure_safetensors(store, probe(file))
    second = {entry.name: entry.record.digest for entry in store.list()}
    assert first.keys() == second.keys()
    assert first != second


@pytest.mark.skipif("ILAB_TEST_GGUF" not in os.environ, reason="ILAB_TEST_GGUF names no GGUF file of the real model")
def test_the_real_model(tmp_path: Path) -> None:
    real = Path(os.environ["ILAB_TEST_GGUF"])
    folder = gguf_to_safetensors(real, tmp_path / "base")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert (tokenizer.eos_token, tokenizer.eos_token_id, tokenizer.pad_token_id) == ("<|im_end|>", 2, 2)
    assert AutoModelForCausalLM.from_pretrained(folder).num_parameters() == 134_515_008
    prompts = [
        f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"
        for text in ("Which is the capital of France?", "Name three planets.", "Write a short poem about the sea.")
    ]
    said = greedy(folder, prompts)
    assert "Paris" in said[0]
    assert llama_cpp(real, texts=TRICKY, prompts=[])["ids"] == ids_of(tokenizer, TRICKY)
    exact = llama_cpp(safetensors_to_gguf(folder, tmp_path / "f32.gguf", kind="f32"), texts=[], prompts=prompts)
    assert exact["said"] == said
    small = safetensors_to_gguf(folder, tmp_path / "q8.gguf", like=real, kind="q8_0")
    assert llama_cpp(small, texts=TRICKY, prompts=prompts[:1])["said"] == said[:1]
