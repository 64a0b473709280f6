"""Contrastive scoring: which of several answers of the same type does the model find most likely?

The question is put as a user turn, and each option is scored as the assistant's answer. An option is scored exactly as
it stands in the file with its first letter in upper case, because instruction-tuned models begin an answer with a
capital; nothing follows it (no full stop, no end token), so that the end of the turn is not part of the test.

Options are compared by their whole log-probability, as a choice of the model would be (`acc` in lm-eval's terms). The
options of a question are of one type and similar length; dividing by length would let one-character answers lose to
long ones (measured on the untrained default model: 49 % of the keep-set per byte, 60 % whole).

    pick    = the option with the highest log-probability; a tie for the first place counts as wrong
    margin  = log-probability of the right option - log(mean(exp(the same of the wrong ones)))   [nats]

Accuracy is easy to read, the margin moves with every question. Both compare options of one type within one question,
so a model that merely learned the style of the answers gains nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ilab.evaluation.questions import Fact, QuestionSet
from ilab.llm.port import ScoreRequest, TokenScore
from ilab.records.messages import Message, system, user
from ilab.records.scores import Answer

CLOSED = "closed"
OPEN = "open"
Render = Callable[[Sequence[Message]], str]
"""Renders messages with the generation prompt of a chat template."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompts:
    """How a question becomes a prompt: the model's chat template and an optional system message."""

    render: Render
    system: str = ""

    def closed(self, question: str) -> tuple[str, str]:
        """Prefix (always empty) and context of a question asked from memory."""
        return "", self._rendered(question)

    def open(self, question: str, text: str) -> tuple[str, str]:
        """Prefix and context of a question asked below `text`; the prefix ends with the text and can be shared."""
        text = text.strip()
        rendered = self._rendered(f"{text}\n\n{question}")
        start = rendered.find(text)
        if start < 0:  # the template changed the text; nothing can be shared then
            return "", rendered
        cut = start + len(text)
        return rendered[:cut], rendered[cut:]

    def _rendered(self, content: str) -> str:
        turns = [user(content)]
        return self.render([system(self.system), *turns] if self.system else turns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One phrasing of one fact, ready to be scored."""

    fact: Fact
    phrasing: int
    condition: str
    request: ScoreRequest

    @property
    def question(self) -> str:
        """The phrasing."""
        return self.fact.questions[self.phrasing]


def answer_form(option: str) -> str:
    """An option as it is scored: its first letter in upper case."""
    return option[:1].upper() + option[1:]


def items(questions: QuestionSet, prompts: Prompts, *, context_of: Callable[[Fact], str] | None = None) -> list[Item]:
    """Every phrasing as an Item, closed book, or open book with the text that `context_of` gives.

    Facts of an open-book set for which `context_of` gives an empty text are left out. Items that share a text follow
    one another, so that a scorer which keeps the last prefix computes it once.
    """
    found = []
    for fact in questions:
        text = context_of(fact) if context_of else ""
        if context_of and not text.strip():
            continue
        for phrasing, question in enumerate(fact.questions):
            prefix, context = prompts.open(question, text) if context_of else prompts.closed(question)
            continuations = tuple(answer_form(option) for option in fact.options)
            found.append(
                Item(
                    fact=fact,
                    phrasing=phrasing,
                    condition=OPEN if context_of else CLOSED,
                    request=ScoreRequest(prefix=prefix, context=context, continuations=continuations),
                )
            )
    order = {prefix: place for place, prefix in enumerate(dict.fromkeys(item.request.prefix for item in found))}
    return sorted(found, key=lambda item: order[item.request.prefix])


def grade(item: Item, scores: Sequence[TokenScore], *, model: str = "") -> Answer:
    """The Answer that `scores`, one for each option, amount to."""
    sizes = [len(option.encode()) for option in item.request.continuations]
    logprobs = [score.logprob for score in scores]
    best = max(logprobs)
    winners = [place for place, value in enumerate(logprobs) if value == best]
    pick = winners[0] if len(winners) == 1 else -1
    return Answer(
        fact=item.fact.id,
        tier=item.fact.tier,
        phrasing=item.phrasing,
        question=item.question,
        options=item.fact.options,
        logprobs=tuple(logprobs),
        tokens=tuple(score.tokens for score in scores),
        bytes=tuple(sizes),
        pick=pick,
        correct=pick == 0,
        margin=logprobs[0] - log_mean_exp(logprobs[1:]),
        gold_bits_per_byte=-logprobs[0] / sizes[0] / math.log(2),
        condition=item.condition,
        model=model,
    )


def log_mean_exp(values: Sequence[float]) -> float:
    """log of the mean of exp(values), safe for large negative values."""
    top = max(values)
    return top + math.log(sum(math.exp(value - top) for value in values) / len(values))


def gold_share(answer: Answer) -> float:
    """How much of the options' weight the right one holds, 0 to 1: a smooth form of `correct`.

    The weights are the options' probabilities, so with k options of equal likelihood the share is 1/k.
    """
    wrong = len(answer.options) - 1
    return 1 / (1 + wrong * math.exp(min(700.0, -answer.margin)))
