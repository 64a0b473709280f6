"""Decoding with a tiny model: greedy, sampled, stopped, remembered."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("transformers", reason="needs the train extra")

from tests.tiny_model import make_tiny_model  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402
from transformers import AutoModelForCausalLM  # noqa: E402

from ilab.llm.port import GenerationParams  # noqa: E402
from ilab.serving.engines.torch_generation import Generator, Usage  # noqa: E402

TEXTS = ["Phoenix is a minor constellation.", "Ankaa is the brightest star of the sky. Grüße!"] * 10
PROMPT = "<|im_start|>user\nName a star.<|im_end|>\n<|im_start|>assistant\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny", texts=TEXTS)


def generator(folder: Path, *, context: int = 2048, remember: bool = True) -> Generator:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    return Generator(model, Tokenizer.from_file(str(folder / "tokenizer.json")), context=context, remember=remember)


def answer(one: Generator, prompt: str, params: GenerationParams) -> tuple[str, Usage]:
    pieces, usage = one.start(prompt, params)
    return "".join(pieces), usage


def test_greedy_decoding_equals_the_library(folder: Path) -> None:
    one = generator(folder)
    text, usage = answer(one, PROMPT, GenerationParams(max_tokens=24))
    ids = torch.tensor([one.tokenizer.encode(PROMPT).ids])
    theirs = one.model.generate(ids, max_new_tokens=24, do_sample=False, eos_token_id=sorted(one.ends))
    new = [token for token in theirs[0, ids.shape[1] :].tolist() if token not in one.ends]
    assert text == one.tokenizer.decode(new)
    assert (usage.prompt_tokens, usage.completion_tokens) == (ids.shape[1], len(new))
    assert usage.finish_reason == ("length" if len(new) == 24 else "stop")


def test_a_seed_repeats_itself_and_another_does_not(folder: Path) -> None:
    one = generator(folder)
    texts = [
        answer(one, PROMPT, GenerationParams(max_tokens=16, temperature=1.5, seed=seed, top_p=0.9))[0]
        for seed in (1, 1, 2)
    ]
    assert texts[0] == texts[1]
    assert texts[0] != texts[2]


def test_a_tiny_top_p_is_greedy(folder: Path) -> None:
    one = generator(folder)
    greedy = answer(one, PROMPT, GenerationParams(max_tokens=12))[0]
    assert answer(one, PROMPT, GenerationParams(max_tokens=12, temperature=1.0, top_p=1e-6))[0] == greedy


def test_text_ends_before_a_stop_string_wherever_tokens_break_it(folder: Path) -> None:
    one = generator(folder)
    whole = answer(one, PROMPT, GenerationParams(max_tokens=40, temperature=1.0, seed=3))[0]
    for start in range(3, len(whole) - 3, 5):
        stop = whole[start : start + 3]
        params = GenerationParams(max_tokens=40, temperature=1.0, seed=3, stop=("never said", stop))
        pieces, usage = one.start(PROMPT, params)
        assert "".join(pieces) == whole[: whole.find(stop)]
        assert usage.finish_reason == "stop"


def test_the_next_turn_computes_only_what_is_new(folder: Path) -> None:
    one = generator(folder)
    first, usage = answer(one, PROMPT, GenerationParams(max_tokens=8))
    assert usage.cached_tokens == 0
    longer = f"{PROMPT}{first}<|im_end|>\n<|im_start|>user\nAnother?<|im_end|>\n<|im_start|>assistant\n"
    text, usage = answer(one, longer, GenerationParams(max_tokens=8))
    assert usage.cached_tokens >= len(one.tokenizer.encode(PROMPT).ids)
    forgetful, usage = answer(generator(folder, remember=False), longer, GenerationParams(max_tokens=8))
    assert usage.cached_tokens == 0
    assert text == forgetful


def test_the_context_bounds_prompt_and_answer(folder: Path) -> None:
    one = generator(folder, context=40)
    size = len(one.tokenizer.encode(PROMPT).ids)
    _, usage = answer(one, PROMPT, GenerationParams(max_tokens=1000))
    assert usage.completion_tokens <= 40 - size
    with pytest.raises(ValueError, match="exceeds the context of 40"):
        one.start(PROMPT * 4, GenerationParams())
