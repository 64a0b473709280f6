"""Invented pages whose every fact is known, so that a question and its answer can be told true or wrong.

A page describes lakes, bridges, observatories and mills. Each paragraph is about one of them, each sentence a fact: a
thing, a property (with the words by which a question may name it) and a value, which is a year, or a name or number
that nothing else has. The same number gives the same pages.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

KINDS: dict[str, tuple[tuple[str, tuple[str, ...], str, tuple[str, ...]], ...]] = {
    "Lake": (
        ("depth", ("deep", "depth"), "{s} is {v} metres deep.", ("How deep is {s}?", "What is the depth of {s}?")),
        (
            "map",
            ("map", "chart", "record"),
            "{s} was first mapped by {p}.",
            ("Who first mapped {s}?", "By whom was {s} mapped first?"),
        ),
        (
            "area",
            ("cover", "area", "square"),
            "{s} covers an area of {v} square kilometres.",
            ("Which area does {s} cover?", "How many square kilometres does {s} cover?"),
        ),
        (
            "river",
            ("feed", "fed", "river"),
            "{s} is fed by the river {n}.",
            ("Which river feeds {s}?", "By which river is {s} fed?"),
        ),
        (
            "town",
            ("shore", "town"),
            "The town of {n} stands on the northern shore of {s}.",
            ("Which town stands on the northern shore of {s}?", "Name the town on the northern shore of {s}."),
        ),
        (
            "fish",
            ("fish", "trout"),
            "A survey in {y} counted the fish of {s} for the first time.",
            ("In which year were the fish of {s} counted first?", "When did a survey first count the fish of {s}?"),
        ),
        (
            "frozen",
            ("fr", "ice"),
            "{s} was frozen for {v} days in its coldest winter.",
            (
                "How many days was {s} frozen in its coldest winter?",
                "For how long was {s} frozen in its coldest winter?",
            ),
        ),
        (
            "park",
            ("park",),
            "{s} has belonged to the national park of {n} since it was founded.",
            ("To which national park does {s} belong?", "Which national park has {s} belonged to?"),
        ),
    ),
    "Bridge": (
        ("length", ("long", "length"), "{s} is {v} metres long.", ("How long is {s}?", "What is the length of {s}?")),
        (
            "engineer",
            ("design", "drawn", "engineer"),
            "{s} was designed by {p}.",
            ("Who designed {s}?", "By whom was {s} designed?"),
        ),
        (
            "opened",
            ("open", "start"),
            "{s} was opened in {y}.",
            ("In which year was {s} opened?", "When was {s} opened?"),
        ),
        (
            "crosses",
            ("cross",),
            "{s} crosses the river {n}.",
            ("Which river does {s} cross?", "Over which river does {s} cross?"),
        ),
        (
            "stone",
            ("stone", "quarr"),
            "The stone of {s} comes from the quarries of {n}.",
            ("From which quarries does the stone of {s} come?", "Where does the stone of {s} come from?"),
        ),
        (
            "arches",
            ("arch", "pillar"),
            "{s} rests on {v} pillars.",
            ("On how many pillars does {s} rest?", "How many pillars has {s}?"),
        ),
        (
            "toll",
            ("toll",),
            "The toll of {s} was abolished in {y}.",
            ("In which year was the toll of {s} abolished?", "When was the toll of {s} abolished?"),
        ),
        (
            "painter",
            ("paint", "picture"),
            "{s} was painted by {p} in a famous picture.",
            ("Who painted {s} in a famous picture?", "By which painter is a famous picture of {s}?"),
        ),
    ),
    "Observatory": (
        (
            "height",
            ("high", "height", "altitude"),
            "{s} stands at an altitude of {v} metres.",
            ("At what altitude does {s} stand?", "How high does {s} stand?"),
        ),
        (
            "founder",
            ("found", "creat", "establish", "set up"),
            "{s} was founded by {p}.",
            ("Who founded {s}?", "By whom was {s} founded?"),
        ),
        (
            "comet",
            ("comet",),
            "The comet {n} was discovered at {s}.",
            ("Which comet was discovered at {s}?", "Name the comet that was discovered at {s}."),
        ),
        (
            "mirror",
            ("mirror",),
            "The mirror of {s} weighs {v} kilograms.",
            ("How much does the mirror of {s} weigh?", "What is the weight of the mirror of {s}?"),
        ),
        (
            "built",
            ("built", "build", "construct", "erect"),
            "{s} was built in {y}.",
            ("In which year was {s} built?", "When was {s} built?"),
        ),
        (
            "mountain",
            ("mountain", "summit"),
            "{s} lies on the summit of Mount {n}.",
            ("On which mountain does {s} lie?", "On the summit of which mountain is {s}?"),
        ),
        (
            "head",
            ("head", "led", "lead", "direct"),
            "{s} has been led by {p} for a decade.",
            ("Who has led {s} for a decade?", "By whom has {s} been led?"),
        ),
        (
            "plates",
            ("plate", "archive"),
            "The archive of {s} holds {v} plates.",
            ("How many plates does the archive of {s} hold?", "What number of plates is in the archive of {s}?"),
        ),
    ),
    "Mill": (
        (
            "wheel",
            ("wheel", "diameter"),
            "The wheel of {s} is {v} centimetres wide.",
            ("How wide is the wheel of {s}?", "What is the width of the wheel of {s}?"),
        ),
        ("owner", ("own", "bought", "buy"), "{s} was bought by {p}.", ("Who bought {s}?", "By whom was {s} bought?")),
        (
            "flood",
            ("flood", "destroy", "wiped"),
            "{s} was destroyed by a flood in {y}.",
            ("In which year did a flood destroy {s}?", "When was {s} destroyed by a flood?"),
        ),
        (
            "grain",
            ("flour", "grain", "tonne"),
            "{s} ground {v} tonnes of grain a year.",
            ("How many tonnes of grain did {s} grind a year?", "How much grain did {s} grind a year?"),
        ),
        (
            "village",
            ("village", "valley"),
            "{s} stands in the valley of {n}.",
            ("In which valley does {s} stand?", "Which valley is {s} in?"),
        ),
        (
            "museum",
            ("museum",),
            "{s} became a museum in {y}.",
            ("In which year did {s} become a museum?", "When did {s} become a museum?"),
        ),
        (
            "miller",
            ("last miller", "miller"),
            "The last miller of {s} was {p}.",
            ("Who was the last miller of {s}?", "What was the name of the last miller of {s}?"),
        ),
        (
            "roof",
            ("roof", "tile"),
            "The roof of {s} has {v} tiles.",
            ("How many tiles has the roof of {s}?", "What number of tiles does the roof of {s} have?"),
        ),
    ),
}
_PER_HEADING = 4
"""Things under one heading: a section is about a chunk long."""
_UNIT = "(?:square )?(?:metres|kilometres|days|kilograms|centimetres|tonnes|pillars|plates|tiles)"
_SYLLABLES = "ba ber dan dor el fen gar hol il jar kel lun mar nes or pel quin ros sol tam ul ven wes yar zin".split()
_FIRST = (
    "Ada Bruno Clara Dario Elsa Frida Gustav Hanna Ivo Jana Karel Lena Milo Nora Otto Petra Rosa Sven Tilda Yann"
).split()


@dataclass(frozen=True, slots=True)
class Fact:
    """One property of one thing. `cues` are word beginnings that name the property in a question."""

    thing: str
    name: str
    cues: tuple[str, ...]
    value: str
    sentence: str
    questions: tuple[str, ...]

    @property
    def answer(self) -> str:
        """The value with its unit, as a pupil would give it."""
        found = re.search(rf"{re.escape(self.value)}(?: {_UNIT})?", self.sentence)
        return found.group(0) if found else self.value


@dataclass(frozen=True)
class World:
    """All facts of some pages."""

    pages: tuple[str, ...]
    facts: tuple[Fact, ...]

    @cached_property
    def _by_thing(self) -> dict[str, list[Fact]]:
        found: dict[str, list[Fact]] = {}
        for fact in self.facts:
            found.setdefault(fact.thing, []).append(fact)
        return found

    @cached_property
    def last_words(self) -> frozenset[str]:
        """The last word of each value, in small letters."""
        return frozenset(fact.value.split()[-1].lower() for fact in self.facts)

    def about(self, text: str) -> list[Fact]:
        """The facts about the things that `text` names."""
        return list(self._candidates(text))

    @cached_property
    def _thing(self) -> re.Pattern[str]:
        return re.compile("|".join(sorted(map(re.escape, self._by_thing), key=len, reverse=True)))

    def told(self, text: str) -> list[Fact]:
        """The facts whose sentences stand in `text`, in its order; line breaks do not matter."""
        flat = " ".join(text.split())
        found = [
            (flat.index(fact.sentence), fact) for fact in self.facts if fact.thing in flat and fact.sentence in flat
        ]
        return [fact for _, fact in sorted(found, key=lambda pair: pair[0])]

    def is_true(self, question: str, answer: str) -> bool:
        """Whether a question that stands alone gets its right answer.

        Either the question names the thing and the property, and the answer holds the value; or the question names the
        value and the property, and the answer the thing.
        """
        asked, said = question.lower(), answer.lower()
        for fact in self._candidates(f"{question} {answer}"):
            named = any(cue in asked for cue in fact.cues)
            if fact.thing.lower() in asked and holds(said, fact.value) and (named or fact.sentence.lower() in said):
                return True
            if holds(asked, fact.value) and fact.thing.lower() in said and named:
                return True
        return False

    def _candidates(self, text: str) -> Iterator[Fact]:
        for thing in dict.fromkeys(self._thing.findall(text)):
            yield from self._by_thing[thing]


def holds(text: str, value: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(value.lower())}(?!\w)", text) is not None


def make(sections: int, *, per_page: int = 10_000, seed: int = 5) -> World:
    """A world of `sections` things, a paragraph of eight facts each, on pages of `per_page` things."""
    dice = random.Random(seed)
    names, numbers, people = _names(dice), _numbers(dice), _people(dice)
    parts: list[str] = []
    facts: list[Fact] = []
    for number in range(sections):
        kind = list(KINDS)[number % len(KINDS)]
        thing = f"{next(names)} {kind}" if kind != "Lake" else f"Lake {next(names)}"
        own = []
        for name, cues, sentence, questions in KINDS[kind]:
            value = str(next(numbers)) if "{v}" in sentence else _other(sentence, names, people, dice)
            text = sentence.format(s=thing, v=value, n=value, p=value, y=value)
            own.append(Fact(thing, name, cues, value, text, tuple(line.format(s=thing) for line in questions)))
        facts += own
        heading = f"## District {number // _PER_HEADING + 1}\n\n" if number % _PER_HEADING == 0 else ""
        parts.append(heading + " ".join(fact.sentence for fact in own) + "\n")
    heads = range(0, sections, per_page)
    title = "# Places of the North, part {}\n\n"
    pages = [title.format(start // per_page + 1) + "\n".join(parts[start : start + per_page]) for start in heads]
    return World(tuple(pages), tuple(facts))


def _other(sentence: str, names: Iterator[str], people: Iterator[str], dice: random.Random) -> str:
    if "{p}" in sentence:
        return next(people)
    return str(dice.randrange(1650, 1990)) if "{y}" in sentence else next(names)


def _names(dice: random.Random) -> Iterator[str]:
    """Names of three syllables, none twice."""
    seen = set()
    while True:
        name = "".join(dice.sample(_SYLLABLES, 3)).capitalize()
        if name not in seen:
            seen.add(name)
            yield name


def _people(dice: random.Random) -> Iterator[str]:
    for name in _names(dice):
        yield f"{dice.choice(_FIRST)} {name}"


def _numbers(dice: random.Random) -> Iterator[int]:
    """Numbers of three or four digits that are no years, none twice."""
    pool = [number for number in range(101, 9999) if not 1000 <= number < 2100]
    yield from dice.sample(pool, len(pool))
