"""A conversation with a model, without a terminal: turns, trimming to the context window, another try."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ilab.chat import contexts
from ilab.chat.settings import ChatSettings
from ilab.errors import ConfigError, TeacherError
from ilab.llm.port import ChatModel, GenerationParams
from ilab.records import messages as records
from ilab.records.messages import Message

_CHARACTERS_PER_TOKEN = 3
"""On the safe side: English text has about four."""
_TOKENS_PER_TURN = 8
_RETRY_TEMPERATURE = 0.7


class ChatSession:
    """Turns over a ChatModel. `turns` holds what was said, without the system prompt."""

    def __init__(self, model: ChatModel, *, settings: ChatSettings) -> None:
        self.model = model
        self.settings = settings
        self.context = settings.context
        self.system = contexts.system_prompt(settings.context)
        self.turns: list[Message] = []
        self.left_out = 0
        """How many of the oldest turns the model did not see last time, for want of space."""
        self._loaded: tuple[Message, ...] = ()
        self._retries = 0

    @property
    def messages(self) -> tuple[Message, ...]:
        """The whole conversation, with the system prompt first where there is one."""
        return (*self._head(), *self.turns)

    def ask(self, text: str) -> Iterator[str]:
        """The answer to `text` in pieces.

        Closing the iterator stops the model and keeps what it has said. When the model fails before its first word,
        the question is not kept, so that it can be asked again; raises `TeacherError`.
        """
        self._retries = 0
        yield from self._answer(records.user(text), self._params())

    def retry(self) -> Iterator[str]:
        """Another answer to the last question, drawn with another seed. Raises `ConfigError` when there is none."""
        question = self._take_back()
        self._retries += 1
        params = self._params()
        yield from self._answer(
            question,
            GenerationParams(
                max_tokens=params.max_tokens,
                temperature=params.temperature or _RETRY_TEMPERATURE,
                top_p=params.top_p,
                seed=params.seed + self._retries,
            ),
        )

    def amend(self, model: ChatModel) -> None:
        """Let another model answer from here on; it reads the turns so far."""
        self.model = model

    def set_context(self, name: str) -> None:
        """Start again with the system prompt called `name`. Raises `ConfigError` when there is none."""
        self.system = contexts.system_prompt(name)
        self.context = name
        self.turns = []

    def new(self, *, keep_loaded: bool = True) -> None:
        """Start again: from a conversation that was loaded for good, or from nothing."""
        self.turns = list(self._loaded) if keep_loaded else []
        self.left_out = 0

    def load(self, conversation: Sequence[Message], *, permanent: bool = False) -> None:
        """Go on from `conversation`. Its system prompt, if any, replaces ours; `permanent` makes `new` return here."""
        spoken = tuple(message for message in conversation if message.role != "system")
        told = [message.content for message in conversation if message.role == "system"]
        if told:
            self.system = told[0]
        self.turns = list(spoken)
        self._loaded = spoken if permanent else ()

    def _answer(self, question: Message, params: GenerationParams) -> Iterator[str]:
        said: list[str] = []
        try:
            for piece in self._stream([*self.turns, question], params):
                said.append(piece)
                yield piece
        finally:
            if said:
                self.turns += [question, records.assistant("".join(said))]

    def _stream(self, turns: list[Message], params: GenerationParams) -> Iterator[str]:
        """Stream the answer; when the server counts more tokens than we guessed, leave out more turns and try again."""
        self.left_out = self._excess(turns)
        while True:
            begun = False
            try:
                for piece in self.model.stream([*self._head(), *turns[self.left_out :]], params):
                    begun = True
                    yield piece
                return
            except TeacherError as error:
                if begun or "context" not in error.message or self.left_out + 2 >= len(turns):
                    raise
                self.left_out += 2

    def _excess(self, turns: Sequence[Message]) -> int:
        """How many of the oldest turns to leave out so that the rest and an answer fit; the last one always stays."""
        space = self.settings.context_size - self.settings.max_tokens - sum(map(estimate_tokens, self._head()))
        needed = sum(map(estimate_tokens, turns))
        left_out = 0
        while needed > space and left_out + 2 < len(turns):
            needed -= sum(map(estimate_tokens, turns[left_out : left_out + 2]))
            left_out += 2  # a question goes with its answer
        return left_out

    def _take_back(self) -> Message:
        if len(self.turns) < 2 or self.turns[-2].role != "user":
            raise ConfigError("there is no question to try again", hint="ask one first")
        question = self.turns[-2]
        del self.turns[-2:]
        return question

    def _head(self) -> list[Message]:
        return [records.system(self.system)] if self.system else []

    def _params(self) -> GenerationParams:
        settings = self.settings
        return GenerationParams(
            max_tokens=settings.max_tokens, temperature=settings.temperature, top_p=settings.top_p, seed=settings.seed
        )


def estimate_tokens(message: Message) -> int:
    """About how many tokens `message` takes, rather too many than too few."""
    return len(message.content) // _CHARACTERS_PER_TOKEN + _TOKENS_PER_TURN
