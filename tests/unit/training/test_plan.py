"""Order, steps, packing, learning rates and save points are pure functions with simple laws."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilab.training import families
from ilab.training import plan as planning
from ilab.training.plan import Step
from ilab.training.settings import PhaseSettings, TrainSettings
from ilab.training.token_table import UNTRAINED, TokenizedRow, TokenTable

LENGTHS = st.lists(st.integers(1, 200), min_size=1, max_size=60)


@given(st.integers(0, 2**31), st.integers(0, 20), st.integers(0, 300))
def test_every_epoch_is_a_permutation_that_depends_on_seed_and_epoch_only(seed: int, epoch: int, count: int):
    order = planning.epoch_order(seed, epoch, count)
    assert sorted(order) == list(range(count))
    assert order == planning.epoch_order(seed, epoch, count)


def test_epochs_and_seeds_differ():
    orders = {tuple(planning.epoch_order(seed, epoch, 50)) for seed in range(3) for epoch in range(3)}
    assert len(orders) == 9


def test_the_order_is_the_same_on_every_machine():
    assert planning.epoch_order(42, 0, 8) == [1, 2, 5, 7, 6, 0, 3, 4]


@given(LENGTHS, st.integers(1, 300))
def test_batches_by_tokens_keep_the_order_and_are_of_like_size(lengths: list[int], tokens: int):
    order = planning.epoch_order(1, 0, len(lengths))
    cut = planning.batches(lengths, order, tokens=tokens)
    assert [row for rows in cut for row in rows] == order
    assert len(cut) <= math.ceil(sum(lengths) / tokens)
    assert max(sum(lengths[row] for row in rows) for rows in cut) <= tokens + max(lengths)


@given(LENGTHS, st.integers(1, 20))
def test_batches_by_samples_hold_exactly_as_many(lengths: list[int], samples: int):
    order = planning.epoch_order(1, 0, len(lengths))
    cut = planning.batches(lengths, order, samples=samples)
    assert [row for rows in cut for row in rows] == order
    assert {len(rows) for rows in cut[:-1]} <= {samples}
    assert 1 <= len(cut[-1]) <= samples


@given(LENGTHS, st.integers(1, 300))
def test_packed_rows_hold_every_row_once_and_never_too_much(widths: list[int], limit: int):
    rows = list(range(len(widths)))
    packed = planning.micro_batches(families.singles(rows, widths), limit)
    assert sorted(row for group in packed for family in group for row in family.rows) == rows
    for group in packed:
        found = [family.width for family in group]
        assert len(group) == 1 or sum(found) <= limit
        assert found == sorted(found, reverse=True)


def test_the_learning_rate_rises_then_falls_to_its_minimum():
    settings = TrainSettings(warmup_steps=4, min_lr_ratio=0.1)
    rates = [planning.learning_rate(step, 20, settings, peak=1.0) for step in range(20)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert rates[4] == 1.0
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert rates[-1] == pytest.approx(0.1)


@pytest.mark.parametrize("total", [1, 2, 3, 10])
@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_every_rate_is_above_zero_and_at_most_the_peak_with_a_warm_up_longer_than_the_training(total: int, schedule):
    settings = TrainSettings(warmup_steps=25, schedule=schedule, min_lr_ratio=0.01)
    rates = [planning.learning_rate(step, total, settings, peak=2e-5) for step in range(total)]
    assert all(0 < rate <= 2e-5 for rate in rates)
    assert max(rates) == 2e-5


def steps(*sizes: int) -> list[Step]:
    return [Step(epoch=0, rows=tuple(range(size))) for size in sizes]


def test_checkpoints_are_evenly_spaced_and_the_last_step_is_one():
    settings = TrainSettings(checkpoints_per_phase=4)
    assert planning.save_points(steps(*[1] * 20), settings, PhaseSettings()) == [5, 10, 15, 20]
    assert planning.save_points(steps(1, 1, 1), settings, PhaseSettings()) == [1, 2, 3]
    assert planning.save_points(steps(1), settings, PhaseSettings()) == [1]


def test_checkpoints_by_samples_come_when_the_threshold_is_crossed():
    settings = TrainSettings(save_samples=10)
    assert planning.save_points(steps(8, 8, 8, 8, 8), settings, PhaseSettings()) == [2, 3, 4, 5]
    assert planning.save_points(steps(25, 1, 1), settings, PhaseSettings()) == [1, 3]
    assert planning.save_points(steps(8, 8, 8), settings, PhaseSettings(save_samples=16)) == [2, 3]
    assert planning.save_points(steps(8, 8), settings, PhaseSettings(save_samples=1000)) == [2]


def test_a_phase_may_have_a_batch_size_of_its_own():
    lengths = [10] * 12
    settings = TrainSettings(effective_batch_size=4)
    assert len(planning.all_steps(lengths, settings, PhaseSettings(num_epochs=2))) == 6
    assert len(planning.all_steps(lengths, settings, PhaseSettings(num_epochs=2, effective_batch_size=12))) == 2


def test_the_widest_packed_row_counts_computed_tokens():
    row = TokenizedRow(id="", ids=(5, 6, 7, 8), labels=(UNTRAINED, 6, UNTRAINED, UNTRAINED))
    table = TokenTable.of([row] * 30)
    wide, narrow = (TrainSettings(max_batch_len=limit) for limit in (100, 16))
    assert planning.widest([Step(epoch=0, rows=tuple(range(30)))], table, wide) == 30
    assert planning.widest([Step(epoch=0, rows=tuple(range(30)))], table, narrow) == 16
