"""LoRA: the base stays as it is, a checkpoint is the model with its adapters added, and peft reads them alone."""

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
peft = pytest.importorskip("peft", reason="needs the lora extra")

from tests.unit.training.tiny_rows import rows, write_rows  # noqa: E402
from transformers import AutoModelForCausalLM  # noqa: E402

from ilab.base.report import ListReporter  # noqa: E402
from ilab.errors import ConfigError  # noqa: E402
from ilab.training import torch_adapter, torch_loop  # noqa: E402
from ilab.training.plan import Step  # noqa: E402
from ilab.training.settings import PhaseSettings, TrainSettings  # noqa: E402
from ilab.training.token_table import TokenTable  # noqa: E402
from ilab.training.train import make_plan, train  # noqa: E402

CPU = torch.device("cpu")
LORA = TrainSettings(lora_rank=4, threads=1, batch_tokens=64, warmup_steps=2)
PHASE = PhaseSettings(num_epochs=3, learning_rate=1e-2)
IDS = torch.tensor([[5, 6, 7, 8, 9]])


def begin(folder: Path, out: Path, table: TokenTable, settings: TrainSettings = LORA) -> torch_loop.Training:
    out.mkdir(exist_ok=True)
    plan = make_plan(table, model=folder, out=out, key="k", phase=PHASE, settings=settings)
    return torch_loop.Training(plan, model=torch_loop.load_model(folder, CPU, settings), table=table)


def logits(model: Any) -> Any:
    from ilab.training import torch_attention

    model.eval()
    with torch.no_grad():
        inputs = {} if model.config._attn_implementation != torch_attention.NAME else {"segments": None}
        return model(input_ids=IDS, use_cache=False, **inputs).logits


def test_a_checkpoint_is_the_trained_model_and_its_base_is_untouched(folder: Path, tmp_path: Path, table: TokenTable):
    done = begin(folder, tmp_path / "out", table)
    before = {name: one.clone() for name, one in done.model.state_dict().items() if "lora_" not in name}
    first = logits(done.model)
    done.model.train()
    assert done.run(lambda: False)
    after = done.model.state_dict()
    assert all(torch.equal(after[name], one) for name, one in before.items())
    checkpoint = sorted((tmp_path / "out" / "checkpoints").glob("step-*"))[-1]
    merged = AutoModelForCausalLM.from_pretrained(checkpoint)
    assert torch.allclose(logits(merged), logits(done.model), atol=1e-4)
    assert (logits(merged) - first).abs().max() > 0.01
    assert not any("lora" in name for name in merged.state_dict())


def test_peft_reads_the_adapter_of_a_checkpoint(folder: Path, tmp_path: Path, table: TokenTable):
    done = begin(folder, tmp_path / "out", table)
    done.run(lambda: False)
    checkpoint = sorted((tmp_path / "out" / "checkpoints").glob("step-*"))[-1]
    base = AutoModelForCausalLM.from_pretrained(folder)
    loaded = peft.PeftModel.from_pretrained(base, checkpoint / "adapter")
    assert torch.allclose(logits(loaded), logits(done.model), atol=1e-4)
    told = json.loads((checkpoint / "adapter" / "adapter_config.json").read_text())
    assert told["r"] == 4


def test_only_adapters_have_gradients_and_moments(folder: Path, tmp_path: Path, table: TokenTable):
    work = begin(folder, tmp_path / "out", table)
    torch_loop.add_gradients(work.model, table, Step(epoch=0, rows=tuple(range(len(table)))), LORA)
    trained = {name for name, one in work.model.named_parameters() if one.grad is not None}
    assert trained and all("lora_" in name for name in trained)
    assert sum(len(group["params"]) for group in work.optimizer.param_groups) == len(trained)
    assert all("lora_" in name for name in work.tensors)


def test_a_broken_training_of_adapters_goes_on_to_the_same_bits(folder: Path, tmp_path: Path, table: TokenTable):
    whole = begin(folder, tmp_path / "whole", table)
    whole.run(lambda: False)
    calls = iter([False, False, True])
    begin(folder, tmp_path / "broken", table).run(lambda: next(calls))
    again = begin(folder, tmp_path / "broken", table)
    assert again.counters.step == 3
    again.run(lambda: False)
    one, other = (torch_adapter.Merged(done.model) for done in (whole, again))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_tensor_without_an_adapter_is_never_copied_and_tied_ones_come_once(folder: Path):
    model = torch_loop.load_model(folder, CPU, LORA)
    merged = torch_adapter.Merged(model)
    own = {one.data_ptr() for one in model.state_dict().values()}
    copied = {name for name in merged if merged[name].data_ptr() not in own}
    assert copied and all(name.endswith("_proj.weight") for name in copied)
    assert set(merged) == set(torch_adapter.Merged(torch_loop.load_model(folder, CPU)))
    assert not {"model.embed_tokens.weight", "lm_head.weight"} <= set(merged)


def test_dropout_gives_every_row_its_own_computation(folder: Path, table: TokenTable):
    from ilab.training import plan as planning

    step = Step(epoch=0, rows=(1, 1, 1))
    with_dropout = LORA.model_copy(update={"lora_dropout": 0.1})
    assert all(family.prefix == 0 for part in planning.packed_rows(step, table, with_dropout) for family in part)


def test_names_that_no_layer_has_are_told_with_those_that_there_are(folder: Path):
    settings = LORA.model_copy(update={"lora_targets": ("query",)})
    with pytest.raises(ConfigError) as caught:
        torch_loop.load_model(folder, CPU, settings)
    assert "q_proj" in caught.value.hint


def test_the_whole_way_through_the_training_process(folder: Path, tmp_path: Path):
    made = train(
        model=folder,
        rows=write_rows(tmp_path / "rows.jsonl", rows()),
        out=tmp_path / "out",
        phase=PHASE,
        settings=LORA.model_copy(update={"device": "cpu"}),
        report=ListReporter(),
    )
    assert (made[-1].path / "adapter" / "adapter_model.safetensors").is_file()
    assert (made[-1].path / "model.safetensors").is_file()
