"""The fast scorer gives what one plain forward pass for each continuation gives."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("transformers", reason="needs the train extra")

from tests.tiny_model import make_tiny_model  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402
from transformers import AutoModelForCausalLM, GraniteConfig, MistralConfig, Qwen2Config  # noqa: E402

from ilab.llm.port import ScoreRequest, TokenScore  # noqa: E402
from ilab.serving.engines.torch_scoring import encode, packable, score, score_plain  # noqa: E402

TEXTS = [
    "Phoenix is a minor constellation in the southern sky.",
    "Alpha Phoenicis, named Ankaa, is the brightest star in the constellation.",
    "It was first depicted on a celestial atlas by Johann Bayer in 1603.",
    "Which star is the brightest? The answer is Ankaa, an orange giant.",
] * 5
WORDS = " ".join(TEXTS).split()
SIZES = {
    "vocab_size": 400,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
    "bos_token_id": None,
    "eos_token_id": 2,
    "pad_token_id": 0,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny", texts=TEXTS)


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> Tokenizer:
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


@pytest.fixture(scope="module")
def model(folder: Path) -> Any:
    # Sharper weights than the random start, so that a wrong position or mask shows in the scores.
    loaded = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        for parameter in loaded.parameters():
            parameter.mul_(4.0 if parameter.ndim > 1 else 1.0)
    return loaded


def phrase(words: random.Random, most: int) -> str:
    return " ".join(words.choices(WORDS, k=words.randint(1, most)))


def random_requests(seed: int, count: int) -> list[ScoreRequest]:
    words = random.Random(seed)
    chunks = ["", f"<|im_start|>user\n{phrase(words, 60)}\n", phrase(words, 90) + "\n\n", "x"]
    return [
        ScoreRequest(
            prefix=words.choice(chunks),
            context=f"{phrase(words, 12)}<|im_end|>\n<|im_start|>assistant\n"
            if words.random() < 0.7
            else phrase(words, 3),
            continuations=tuple(
                words.choice([" A", "", "B", " " + phrase(words, 6), phrase(words, 6)])
                for _ in range(words.randint(1, 5))
            ),
        )
        for _ in range(count)
    ]


def assert_equal(fast: list[list[TokenScore]], plain: list[list[TokenScore]]) -> None:
    assert [[cell.tokens for cell in row] for row in fast] == [[cell.tokens for cell in row] for row in plain]
    for one, other in zip(fast, plain, strict=True):
        assert [cell.logprob for cell in one] == pytest.approx([cell.logprob for cell in other], abs=1e-4, rel=1e-5)


@pytest.mark.parametrize(("seed", "row_tokens"), [(1, 512), (2, 64), (3, 1), (4, 200)])
def test_fast_scores_equal_plain_scores(model: Any, tokenizer: Tokenizer, seed: int, row_tokens: int) -> None:
    requests = random_requests(seed, 24)
    assert_equal(score(model, tokenizer, requests, row_tokens=row_tokens), score_plain(model, tokenizer, requests))


def test_a_shared_chunk_longer_than_a_row(model: Any, tokenizer: Tokenizer) -> None:
    chunk = " ".join(WORDS * 3)
    requests = [
        ScoreRequest(
            prefix=chunk, context=f"\nQ: {word}?\nA:", continuations=(" Ankaa", " Bayer in 1603", " Ankaa star")
        )
        for word in WORDS[:20]
    ]
    assert_equal(score(model, tokenizer, requests, row_tokens=128), score_plain(model, tokenizer, requests))


def test_continuations_right_after_a_shared_chunk(model: Any, tokenizer: Tokenizer) -> None:
    request = ScoreRequest(prefix=" ".join(WORDS), context="", continuations=tuple(f" {word} star" for word in WORDS))
    assert_equal(score(model, tokenizer, [request], row_tokens=16), score_plain(model, tokenizer, [request]))


@pytest.mark.parametrize("kind", [GraniteConfig, Qwen2Config, MistralConfig])
def test_other_architectures(tokenizer: Tokenizer, kind: Any) -> None:
    extra = {"logits_scaling": 4.0, "embedding_multiplier": 6.0} if kind is GraniteConfig else {}
    torch.manual_seed(5)
    config = kind(**SIZES, **extra, **({"sliding_window": None} if kind is MistralConfig else {}))
    other = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    assert packable(config)
    requests = random_requests(6, 8)
    assert_equal(score(other, tokenizer, requests, row_tokens=100), score_plain(other, tokenizer, requests))


def test_a_sliding_window_is_scored_the_plain_way(tokenizer: Tokenizer) -> None:
    config = MistralConfig(**SIZES, sliding_window=8)
    assert not packable(config)
    other = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    requests = random_requests(7, 3)
    assert_equal(score(other, tokenizer, requests), score_plain(other, tokenizer, requests))


def test_the_score_of_a_text_is_the_sum_over_its_parts(model: Any, tokenizer: Tokenizer) -> None:
    context, first, second = "Phoenix is", " a minor", " constellation"
    whole, part = score(model, tokenizer, [ScoreRequest(context=context, continuations=(first + second, first))])[0]
    rest = score(model, tokenizer, [ScoreRequest(context=context + first, continuations=(second,))])[0][0]
    assert whole.logprob == pytest.approx(part.logprob + rest.logprob, abs=1e-4)
    assert whole.tokens == part.tokens + rest.tokens


def test_scores_are_probabilities(model: Any, tokenizer: Tokenizer) -> None:
    every = tuple(tokenizer.decode([token], skip_special_tokens=False) for token in range(3))
    row = score(model, tokenizer, [ScoreRequest(context="Ankaa", continuations=every)])[0]
    assert all(cell.tokens == 1 for cell in row)
    assert 0 < sum(torch.tensor([cell.logprob for cell in row]).exp().tolist()) < 1


def test_a_token_across_the_border_is_scored_whole(tokenizer: Tokenizer) -> None:
    encoded = encode(tokenizer, ScoreRequest(context="the ", continuations=("star", "<|im_end|>")), start=2)
    context = tokenizer.encode("the ").ids
    assert [one.split for one in encoded] == [len(context) - 1] * 2
    assert encoded[1].ids[encoded[1].split :] == (context[-1], 2)


def test_special_tokens_in_the_text_are_special(tokenizer: Tokenizer) -> None:
    request = ScoreRequest(prefix="<|im_start|>", context="user\n", continuations=("hi<|im_end|>",))
    ids = encode(tokenizer, request, start=2)[0].ids
    assert (ids[0], ids[-1]) == (1, 2)


def test_a_text_beyond_the_context_is_refused(model: Any, tokenizer: Tokenizer) -> None:
    request = ScoreRequest(context="1 2 3 " * 1000, continuations=("x",))
    with pytest.raises(ValueError, match="context of 2048"):
        score(model, tokenizer, [request])
