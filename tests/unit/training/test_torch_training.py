"""The packed step is the plain step: same loss, same gradients, no leak between samples, and it learns."""

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("transformers", reason="needs the train extra")

from tests.unit.training.tiny_rows import rows  # noqa: E402
from transformers import (  # noqa: E402
    AutoModelForCausalLM,
    GraniteConfig,
    LlamaConfig,
    MambaConfig,
    MistralConfig,
    Qwen2Config,
)

from ilab.errors import TrainingError  # noqa: E402
from ilab.training import checkpoints, torch_attention, torch_loop, torch_vocabulary  # noqa: E402
from ilab.training import plan as planning  # noqa: E402
from ilab.training.plan import Step, TrainPlan  # noqa: E402
from ilab.training.settings import PhaseSettings, TrainSettings  # noqa: E402
from ilab.training.token_table import UNTRAINED, TokenizedRow, TokenTable  # noqa: E402
from ilab.training.tokenize import RowTokenizer  # noqa: E402
from ilab.training.train import make_plan  # noqa: E402

SIZES: dict[str, Any] = {
    "vocab_size": 300,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "bos_token_id": None,
    "eos_token_id": 2,
    "pad_token_id": None,
}
CPU = torch.device("cpu")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def random_table(seed: int = 0) -> TokenTable:
    """Rows of many lengths, some with few labels, some with equal lengths."""
    draw = torch.Generator().manual_seed(seed)
    found = []
    for length in (3, 60, 17, 17, 17, 2, 33, 60):
        ids = tuple(torch.randint(3, 300, (length,), generator=draw).tolist())
        share = torch.rand(1, generator=draw).item()
        on = (torch.rand(length, generator=draw) < share).tolist()
        on[1] = True
        labels = tuple(token if place and on[place] else UNTRAINED for place, token in enumerate(ids))
        found.append(TokenizedRow(id="", ids=ids, labels=labels))
    return TokenTable.of(found)


def make(config: Any) -> Any:
    """A random model that is far from its start, so that mistakes show."""
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3.0 if parameter.ndim > 1 else 1.0)
    return model


def plain_gradients(model: Any, table: TokenTable) -> tuple[float, dict[str, Any]]:
    """The loss and gradients as transformers computes them itself, one row at a time."""
    model.set_attn_implementation("sdpa")
    model.zero_grad()
    trained = sum(table.trained(row) for row in range(len(table)))
    total = 0.0
    for row in range(len(table)):
        ids, labels = (torch.tensor([values]) for values in table.row(row))
        loss = model(input_ids=ids, labels=labels, use_cache=False).loss * table.trained(row) / trained
        loss.backward()
        total += loss.item()
    return total, {name: one.grad.clone() for name, one in model.named_parameters()}


def packed_gradients(model: Any, table: TokenTable, **settings: Any) -> tuple[float, dict[str, Any]]:
    torch_attention.install(model)
    model.zero_grad()
    step = Step(epoch=0, rows=tuple(range(len(table))))
    loss, trained = torch_loop.add_gradients(model, table, step, TrainSettings(**settings))
    assert trained == sum(table.trained(row) for row in range(len(table)))
    return loss, {name: one.grad.clone() for name, one in model.named_parameters()}


def assert_equal(first: tuple[float, dict[str, Any]], second: tuple[float, dict[str, Any]], limit: float) -> None:
    assert first[0] == pytest.approx(second[0], rel=limit)
    scale = max(one.abs().max().item() for one in second[1].values())
    for name, gradient in first[1].items():
        assert (gradient - second[1][name]).abs().max().item() <= limit * scale, name


@pytest.mark.parametrize(
    "config",
    [
        LlamaConfig(**SIZES, tie_word_embeddings=True),
        LlamaConfig(**SIZES, tie_word_embeddings=False),
        Qwen2Config(**SIZES, tie_word_embeddings=True),
        GraniteConfig(**SIZES, logits_scaling=4.0, embedding_multiplier=2.0, residual_multiplier=0.5),
        MistralConfig(**SIZES, sliding_window=None),
    ],
    ids=["llama-tied", "llama-untied", "qwen2", "granite", "mistral"],
)
def test_loss_and_gradients_are_those_of_transformers_row_by_row(config: Any):
    model, table = make(config), random_table()
    assert_equal(packed_gradients(model, table), plain_gradients(model, table), 1e-5)


@pytest.mark.parametrize("limit", [16, 40, 64, 100, 4096])
def test_gradients_do_not_depend_on_how_the_step_is_cut(limit: int):
    model, table = make(LlamaConfig(**SIZES, tie_word_embeddings=True)).double(), random_table()
    torch_attention.install(model)
    assert_equal(packed_gradients(model, table, max_batch_len=limit), packed_gradients(model, table), 1e-10)


def alike_table(seed: int = 0) -> TokenTable:
    """Rows of two documents, one of them trained, under several questions; two are equal, one stops in the document."""
    draw = torch.Generator().manual_seed(seed)

    def some(length: int) -> list[int]:
        return torch.randint(3, 300, (length,), generator=draw).tolist()

    documents = [some(40), some(25)]
    found = []
    for number, length in enumerate((9, 9, 14, 5, 9, 1)):
        for document, trained in zip(documents, (True, False), strict=True):
            own = some(length)
            labels = [*(document if trained else [UNTRAINED] * len(document)), *own]
            row = TokenizedRow(id="", ids=(*document, *own), labels=(UNTRAINED, *labels[1:]))
            found += [row] * (2 if number == 2 else 1)
    found.append(TokenizedRow(id="", ids=tuple(documents[0][:30]), labels=(UNTRAINED, *documents[0][1:30])))
    return TokenTable.of(found)


@pytest.mark.parametrize("limit", [24, 60, 100, 4096])
@pytest.mark.parametrize(
    "config",
    [
        LlamaConfig(**SIZES, tie_word_embeddings=True),
        GraniteConfig(**SIZES, logits_scaling=4.0, embedding_multiplier=2.0, residual_multiplier=0.5),
    ],
    ids=["llama", "granite"],
)
def test_what_rows_have_in_common_is_computed_once_with_equal_gradients(config: Any, limit: int):
    model, table = make(config).double(), alike_table()
    shared = packed_gradients(model, table, max_batch_len=limit)
    alone = packed_gradients(model, table, max_batch_len=limit, share_prefixes=False)
    assert_equal(shared, alone, 1e-6)  # the loss without a plain output layer is computed in fp32
    step = Step(epoch=0, rows=tuple(range(len(table))))
    together, apart = (
        sum(
            family.width
            for part in planning.packed_rows(step, table, TrainSettings(max_batch_len=4096, share_prefixes=share))
            for family in part
        )
        for share in (True, False)
    )
    assert together < 0.5 * apart


def test_shared_beginnings_give_the_loss_of_transformers():
    model, table = make(LlamaConfig(**SIZES, tie_word_embeddings=True)), alike_table()
    assert_equal(packed_gradients(model, table), plain_gradients(model, table), 1e-5)


def test_the_loss_in_slices_is_the_loss_at_once():
    draw = torch.Generator().manual_seed(0)
    model = make(LlamaConfig(**SIZES, tie_word_embeddings=False))
    found = []
    for _ in range(20):
        ids = tuple(torch.randint(0, 300, (100,), generator=draw).tolist())
        found.append(TokenizedRow(id="", ids=ids, labels=(UNTRAINED, *ids[1:])))
    table = TokenTable.of(found)
    assert sum(table.trained(row) for row in range(20)) > 3 * torch_vocabulary.HEAD_ROWS
    assert_equal(packed_gradients(model, table), plain_gradients(model, table), 1e-5)


def test_a_changed_sample_changes_nothing_in_its_neighbours():
    model = make(LlamaConfig(**SIZES))
    torch_attention.install(model)
    samples = [[5, 6, 7, 8], [9, 10, 11, 12], [13, 14]]
    one = torch_attention._hidden(model, samples)
    other = torch_attention._hidden(model, [[50, 60, 70, 80], *samples[1:]])
    assert (one - other)[:4].abs().max() > 0.01
    assert torch.equal(one[4:], other[4:])
    torch_attention.check(model)


def test_an_architecture_that_mixes_packed_samples_is_refused():
    model = AutoModelForCausalLM.from_config(
        MambaConfig(vocab_size=300, hidden_size=32, num_hidden_layers=2, state_size=4, use_mambapy=False)
    )
    with pytest.raises(TrainingError, match="mamba cannot be trained"):
        torch_attention.install(model)


def test_attention_that_we_do_not_compute_is_refused():
    model = make(MistralConfig(**SIZES, sliding_window=4))
    torch_attention.install(model)
    with pytest.raises(TrainingError, match="kind of attention"):
        torch_attention.check(model)


def test_the_end_token_is_learned_as_an_input_although_it_is_the_padding_token(folder: Path, tmp_path: Path):
    model = make(LlamaConfig(**SIZES | {"pad_token_id": 2}, tie_word_embeddings=False))
    model.save_pretrained(tmp_path)
    loaded = torch_loop.load_model(tmp_path, CPU)
    row = TokenizedRow(id="", ids=(2, 5, 6), labels=(UNTRAINED, 5, 6))
    torch_loop.add_gradients(loaded, TokenTable.of([row]), Step(epoch=0, rows=(0,)), TrainSettings())
    assert loaded.get_input_embeddings().weight.grad[2].abs().max() > 0


def test_bf16_is_close_to_fp32_and_keeps_weights_and_gradients_in_fp32():
    model, table = make(LlamaConfig(**SIZES, tie_word_embeddings=True)), random_table()
    exact = packed_gradients(model, table)
    rough = packed_gradients(model, table, precision="bf16")
    assert rough[0] == pytest.approx(exact[0], rel=0.02)
    assert {one.dtype for one in rough[1].values()} == {torch.float32}


def training(folder: Path, out: Path, table: TokenTable, phase: PhaseSettings, **settings: Any) -> torch_loop.Training:
    out.mkdir(exist_ok=True)
    chosen = TrainSettings(**{"threads": 1, "batch_tokens": 64, "warmup_steps": 3, **settings})
    plan: TrainPlan = make_plan(table, model=folder, out=out, key="k", phase=phase, settings=chosen)
    return torch_loop.Training(plan, model=torch_loop.load_model(folder, CPU), table=table)


def test_losses_of_the_tiny_model_are_as_they_always_were(folder: Path, tmp_path: Path, table: TokenTable):
    done = training(folder, tmp_path / "out", table, PhaseSettings(num_epochs=4, learning_rate=3e-3))
    assert done.run(lambda: False)
    losses = [round(row["loss"], 4) for row in _metrics(tmp_path / "out")]
    assert losses == pytest.approx(EXPECTED_LOSSES, abs=2e-4)


EXPECTED_LOSSES = [6.0592, 6.019, 5.7259, 5.6231, 5.1681, 5.0953, 4.8108, 4.995, 4.5738, 4.8041, 4.3467, 4.3723]


def test_four_rows_are_learned_by_heart(folder: Path, tmp_path: Path, table: TokenTable):
    few = TokenTable.of([RowTokenizer.from_model(folder).encode(row) for row in rows()[1:5]])
    done = training(
        folder, tmp_path / "out", few, PhaseSettings(num_epochs=60, learning_rate=1e-2), checkpoints_per_phase=4
    )
    done.run(lambda: False)
    found = checkpoints.find(tmp_path / "out")
    assert len(found) == 4
    assert _metrics(tmp_path / "out")[-1]["loss"] < 0.05
    assert found[-1].samples == 240
    assert found[-1].name == "samples_240"
    assert found[-1].tokens == few.tokens * 60
    assert [row["step"] for row in _metrics(tmp_path / "out")] == list(range(1, found[-1].step + 1))


def test_a_checkpoint_is_a_model_that_transformers_loads(folder: Path, tmp_path: Path, table: TokenTable):
    done = training(folder, tmp_path / "out", table, PhaseSettings(num_epochs=1, learning_rate=3e-3))
    done.run(lambda: False)
    path = checkpoints.find(tmp_path / "out")[-1].path
    loaded, told = AutoModelForCausalLM.from_pretrained(path, output_loading_info=True)
    assert not told["missing_keys"] and not told["unexpected_keys"]
    assert loaded.lm_head.weight.data_ptr() == loaded.model.embed_tokens.weight.data_ptr()
    for name, tensor in done.model.state_dict().items():
        assert torch.equal(tensor, loaded.state_dict()[name])
    assert RowTokenizer.from_model(path).encode(rows()[1]) == RowTokenizer.from_model(folder).encode(rows()[1])


def test_almost_every_weight_moves(folder: Path, tmp_path: Path, table: TokenTable):
    done = training(folder, tmp_path / "out", table, PhaseSettings(num_epochs=1, learning_rate=2e-5))
    before = {name: one.detach().clone() for name, one in done.model.named_parameters() if "layers" in name}
    done.run(lambda: False)
    after = dict(done.model.named_parameters())
    moved = sum((after[name] != one).sum().item() for name, one in before.items())
    assert moved > 0.99 * sum(one.numel() for one in before.values())


def test_a_loss_that_is_no_number_stops_the_training(folder: Path, tmp_path: Path, table: TokenTable):
    broken = training(folder, tmp_path / "out", table, PhaseSettings(num_epochs=1, learning_rate=1.0))
    with torch.no_grad():
        broken.model.get_input_embeddings().weight.fill_(float("nan"))
    with pytest.raises(TrainingError, match="step 1 has loss nan"):
        broken.run(lambda: False)


@pytest.mark.parametrize("clip_norm", [0.5, 1000.0])
def test_a_step_is_that_of_plain_clipping_and_adamw(folder: Path, table: TokenTable, clip_norm: float):
    settings = TrainSettings(clip_norm=clip_norm, weight_decay=0.1)
    step = Step(epoch=0, rows=tuple(range(len(table))))
    ours, plain = (torch_loop.load_model(folder, CPU) for _ in range(2))
    optimizer = torch_loop.make_optimizer(ours, settings)
    matrices = [one for one in plain.parameters() if one.ndim > 1]
    others = [one for one in plain.parameters() if one.ndim == 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    reference = torch.optim.AdamW(groups, lr=1e-2, betas=(0.9, 0.95), foreach=False)
    for _ in range(3):
        torch_loop.add_gradients(ours, table, step, settings)
        torch_loop.add_gradients(plain, table, step, settings)
        norm = torch.nn.utils.clip_grad_norm_(plain.parameters(), clip_norm).item()
        assert torch_loop.gradient_norm(ours) == pytest.approx(norm, rel=1e-5)
        torch_loop.clipped_step(optimizer, rate=1e-2, shrink=norm / clip_norm)
        reference.step()
        reference.zero_grad()
    for one, other in zip(ours.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def _metrics(out: Path) -> list[dict[str, Any]]:
    from ilab.base import jsonl

    return list(jsonl.read(out / "metrics.jsonl"))
