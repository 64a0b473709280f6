"""10,000 damaged files: no exception, and every refusal says where."""

import random
from pathlib import Path

from tests.unit.taxonomy.mutations import SAMPLES, mutated

from ilab.taxonomy.lint import Linter
from ilab.taxonomy.qna import parse_bytes
from ilab.taxonomy.rules import RULES

FILES = 10_000
FILE = Path("qna.yaml")
LEAVES = ("knowledge/x", "compositional_skills/x", "x")


def test_ten_thousand_damaged_files_are_read_or_refused_with_a_place() -> None:
    dice, refused = random.Random(3), 0
    for number in range(FILES):
        data = mutated(dice.choice(SAMPLES), dice)
        parsed = parse_bytes(data, file=FILE, leaf=LEAVES[number % 3])
        errors = [fault for fault in parsed.faults if fault.severity == "error"]
        assert (parsed.leaf is None) == bool(errors), data
        lines = data.count(b"\n") + data.count(b"\r") + data.count("\u2028".encode()) + data.count("\x85".encode()) + 1
        for fault in parsed.faults:
            assert 1 <= fault.line <= lines, (fault, data)
            assert fault.rule in RULES and fault.message, (fault, data)
        refused += bool(errors)
    assert FILES // 4 < refused < FILES


def test_a_thousand_damaged_files_do_not_break_the_check_of_their_style() -> None:
    dice, linter = random.Random(4), Linter()
    for number in range(1000):
        data = mutated(dice.choice(SAMPLES), dice)
        parsed = parse_bytes(data, file=FILE, leaf=LEAVES[number % 3])
        for fault in linter.findings(parsed, file=FILE):
            assert fault.line >= 1 and fault.rule in RULES, (fault, data)
