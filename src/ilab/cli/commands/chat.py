"""`ilab model chat`: the terminal loop around `ilab.chat.session`."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import click

from ilab.chat import commands, contexts, transcript
from ilab.chat.commands import Action
from ilab.chat.session import ChatSession
from ilab.chat.transcript import Transcript
from ilab.cli import chat_answerer, chat_input, output, report
from ilab.cli.chat_answerer import Wish
from ilab.cli.chat_screen import PanelScreen, PlainAnswer, PlainScreen
from ilab.cli.options import json_option, load_config, set_option, settings_flags
from ilab.errors import IlabError, TeacherError
from ilab.records.messages import Message

_GREEDY = {"chat.temperature": 0.0, "chat.top_p": 1.0}
_LEAVE = ("exit", "quit")
_END_OF_LINES = "."
_HOW_TO_END = f"end it with Ctrl-D or a line with only `{_END_OF_LINES}`"
_MORE_ROOM = "allow more with `--set serving.context_size=N`"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the command line asks for, apart from the settings."""

    question: str
    quick: bool
    as_json: bool
    plain: bool
    session_file: Path | None


@click.command("chat")
@click.argument("question", nargs=-1)
@click.option(
    "-m",
    "--model",
    "named",
    metavar="PATH_OR_NAME",
    default="",
    help="Model to chat with.  [default: one that is being served, else the newest tuned model, else the embedded one]",
)
@click.option("-qq", "--quick-question", "--qq", "quick", is_flag=True, help="Print the answer to QUESTION, and end.")
@click.option(
    "-s", "--session", "session_file", type=click.Path(path_type=Path), help="Go on from a conversation saved with /s."
)
@settings_flags(
    {
        "-c,--context": "chat.context",
        "--max-tokens": "chat.max_tokens",
        "-t,--temperature": "chat.temperature",
    }
)
@click.option("-gm", "--greedy-mode", "greedy", is_flag=True, help="Give the likeliest answer: temperature 0.")
@click.option("--endpoint-url", metavar="URL", default="", help="Ask this OpenAI-compatible server.")
@click.option(
    "--api-key",
    metavar="KEY",
    default="",
    envvar="ILAB_CHAT_API_KEY",
    show_envvar=True,
    help="Key for the server at --endpoint-url; better kept in the environment.",
)
@click.option("-nd", "--no-decoration", "plain", is_flag=True, help="No panels, only text.")
@json_option
@set_option
@click.pass_context
def chat(
    ctx: click.Context,
    question: tuple[str, ...],
    named: str,
    quick: bool,
    session_file: Path | None,
    greedy: bool,
    endpoint_url: str,
    api_key: str,
    plain: bool,
    as_json: bool,
) -> None:
    """Starts a chat with a model.

    QUESTION is asked first. Text on standard input (a file, a pipe) is put before it; the answer then ends the command,
    as with --qq. In the chat, /h lists the commands and `exit` leaves.
    """
    loaded = load_config(ctx, _GREEDY if greedy else None)
    contexts.system_prompt(loaded.config.chat.context)  # a wrong name is told before a model is loaded
    text = chat_input.whole_question(" ".join(question))
    nobody = sys.stdin is None or not sys.stdin.isatty()  # there is nobody to ask a second question
    asked = _Asked(
        question=text, quick=quick or as_json or nobody, as_json=as_json, plain=plain, session_file=session_file
    )
    if asked.quick and not text:
        raise click.UsageError("there is no question: give it as words or on standard input", ctx)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a model may use characters that the terminal does not know
    wish = Wish(loaded=loaded, named=named, endpoint_url=endpoint_url, api_key=api_key)
    with chat_input.ended_by_signals():
        _Chat(wish, asked).run()


class _Chat:
    """One call of the command: the session, who answers, and the screen."""

    def __init__(self, wish: Wish, asked: _Asked) -> None:
        self.wish = wish
        self.asked = asked
        self.loaded_before = transcript.load_session(asked.session_file) if asked.session_file else ()
        decorated = output.is_terminal(sys.stdout) and not asked.plain
        self.screen = PanelScreen() if decorated else PlainScreen()
        self.settings = wish.loaded.config.chat
        self.label = asked.session_file.stem if asked.session_file else self.settings.context
        self.multiline = False
        self.transcript = Transcript.in_folder(wish.loaded.paths.chats) if self.settings.transcript else None
        self.answerer = chat_answerer.find(wish)
        self.session = ChatSession(self.answerer.model, settings=self.settings)
        self._fit_context()

    def run(self) -> None:
        """Answer the one question, or talk until the user leaves; the engine of ours is stopped in the end."""
        try:
            output.tell(self.answerer.line)
            if self.loaded_before:
                self.session.load(self.loaded_before, permanent=True)
            if self.asked.quick:
                self._answer_once()
            else:
                self._talk()
        finally:
            self.answerer.close()

    def _fit_context(self) -> None:
        size = self.answerer.context_size or self.settings.context_size
        self.session.settings = self.settings.model_copy(update={"context_size": min(size, self.settings.context_size)})

    # --- one question ---

    def _answer_once(self) -> None:
        began = time.monotonic()
        shown = None if self.asked.as_json else PlainAnswer(sys.stdout, raw=not output.is_terminal(sys.stdout))
        said: list[str] = []
        try:
            for piece in self.session.ask(self.asked.question):
                said.append(piece)
                if shown is not None:
                    shown.feed(piece)
        except TeacherError as error:
            if "context" not in error.message:
                raise
            more = f", or {_MORE_ROOM}" if self.answerer.context_size else ""
            raise TeacherError(error.message, hint=f"give less text{more}") from error
        finally:
            if shown is not None:
                shown.close()
        answer = "".join(said).strip()
        if not answer:
            raise TeacherError(
                f"model `{self.answerer.name}` gave no answer", hint="ask in other words, or try another temperature"
            )
        if self.asked.as_json:
            output.print_json(
                {
                    "model": self.answerer.name,
                    "question": self.asked.question,
                    "answer": answer,
                    "seconds": round(time.monotonic() - began, 3),
                }
            )

    # --- the loop ---

    def _talk(self) -> None:
        self.screen.welcome(self.answerer.short_name)
        if self.loaded_before:
            self.screen.notice(f"going on from {self.asked.session_file}: {len(self.session.turns)} messages")
        text: str | None = self.asked.question
        if text:
            click.echo(f">>> {text}")
        with chat_input.line_editing(self._history()):
            while text is not None:
                if text and not self._take(text):
                    return
                text = self._read()

    def _history(self) -> Path | None:
        """Where typed lines are kept; nowhere when transcripts are switched off."""
        return self.wish.loaded.paths.state / "chat_history" if self.settings.transcript else None

    def _read(self) -> str | None:
        """What the user types, or None at the end of input and on Ctrl-C."""
        try:
            first = input(self.screen.prompt("M" if self.multiline else "S", self.label))
        except (EOFError, KeyboardInterrupt):
            click.echo()
            return None
        is_message = first.strip() and commands.parse(first) is None and first.strip() not in _LEAVE
        return (self._more_lines(first) if self.multiline and is_message else first).strip()

    def _more_lines(self, *lines: str) -> str:
        """The lines of a message until Ctrl-D or a line with nothing but a full stop; Ctrl-C drops them."""
        kept = list(lines)
        try:
            while (line := input("... ")) != _END_OF_LINES:
                kept.append(line)
        except EOFError:
            click.echo()
        except KeyboardInterrupt:
            click.echo()
            return ""
        return "\n".join(kept)

    def _take(self, text: str) -> bool:
        """Carry out a command or ask the model; False to leave the chat."""
        if text in _LEAVE:
            return False
        command = commands.parse(text)
        try:
            if command is None:
                self._show_answer(self.session.ask(text))
                return True
            return self._act(commands.act(command, self.session.turns))
        except KeyboardInterrupt:  # while another model was loaded
            click.echo()
            return True
        except IlabError as error:
            if not self.answerer.alive:
                raise
            report.say(error.message, details=error.details, hint=error.hint)
            return True

    def _show_answer(self, pieces: Iterator[str]) -> None:
        """Show an answer as it is made. Ctrl-C stops it and keeps what was said."""
        last = self.session.turns[-1] if self.session.turns else None
        shown, began, word = self.screen.answer(self.answerer.short_name), time.monotonic(), "elapsed"
        try:
            with chat_input.quiet_keys():
                for piece in pieces:
                    shown.feed(piece)
        except KeyboardInterrupt:
            word = "stopped after"
        finally:
            with suppress(AttributeError):
                pieces.close()  # type: ignore[attr-defined]
            shown.close(f"{word} {time.monotonic() - began:.3f} seconds")
        if not self.session.turns or self.session.turns[-1] is last:
            self.screen.notice("the model gave no answer" if word == "elapsed" else "stopped before the first word")
        elif self.transcript is not None:
            self.transcript.add(self.session.turns[-2:], model=self.answerer.name)
        if self.session.left_out:
            self.screen.notice(f"the oldest {self.session.left_out} messages no longer fit and were not read")

    # --- slash commands ---

    def _act(self, action: Action) -> bool:
        if action.kind == "quit":
            return False
        if action.kind == "multiline_once":
            self.screen.notice(f"write the message; {_HOW_TO_END}")
            text = self._more_lines().strip()
            if text:
                self._show_answer(self.session.ask(text))
        elif action.kind == "retry":
            self._show_answer(self.session.retry())
        elif action.kind == "show":
            self._show(action)
        elif action.kind in ("new", "new_unloaded", "context", "load", "load_permanent"):
            self._begin_again(action)
        else:
            self._do(action)
        return True

    def _do(self, action: Action) -> None:
        """The commands that leave the conversation as it is."""
        if action.kind == "say":
            self.screen.notice(action.text)
        elif action.kind == "multiline":
            self.multiline = not self.multiline
            self.screen.notice(f"writing on several lines; {_HOW_TO_END}" if self.multiline else "writing on one line")
        elif action.kind == "save":
            path = transcript.save_session(Path(action.text), self.session.messages)
            self.screen.notice(f"saved {len(self.session.messages)} messages to {path}")
        elif action.kind == "amend":
            self._switch(action.text)

    def _show(self, action: Action) -> None:
        if action.style == "plain":
            self.screen.plain(action.text)
        elif action.style == "markdown":
            self.screen.markdown(action.text)
        else:
            said_by_model = any(_is(turn, action.text) for turn in self.session.turns)
            self.screen.message(action.text, title=self.answerer.short_name if said_by_model else "you")

    def _begin_again(self, action: Action) -> None:
        if action.kind == "context":
            self.session.set_context(action.text)
            self.label = action.text
        elif action.kind in ("new", "new_unloaded"):
            self.session.new(keep_loaded=action.kind == "new")
        else:
            path = Path(action.text)
            self.session.load(transcript.load_session(path), permanent=action.kind == "load_permanent")
            self.label = path.stem
        count = len(self.session.turns)
        self.screen.notice(f"going on from {count} messages" if count else "a new conversation")

    def _switch(self, named: str) -> None:
        """Let another model answer; the one so far goes on when that cannot be had."""
        answerer = chat_answerer.find(self.wish.other(named))
        self.answerer.close()
        self.answerer = answerer
        self.session.amend(answerer.model)
        self._fit_context()
        self.screen.notice(answerer.line)


def _is(turn: Message, text: str) -> bool:
    return turn.role == "assistant" and turn.content == text
