"""A teacher that answers by rule: a real OpenAI-compatible server whose answers are the same for all who ask.

    python bench/scripted_teacher.py --sections 40 [--latency 0.05] [--slots 64] [--log FILE]

It knows the facts of `invented_pages`. For a document it is shown, and a position that the rest of the prompt decides,
it always writes the same questions and answers; a fixed share of them is bad (a wrong value, "it" for the name, the
answer to another question), and judges are told the truth. Prompts of both systems are known by what they ask for; the
answer comes in the form that is asked for. Each prompt takes one of `slots` for `latency` seconds. The first line on
standard output is the address; `--log` gets one JSON line for each prompt.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TextIO

import invented_pages
from invented_pages import Fact, World

NAME = "scripted"
PAIRS = 6
"""Questions with answers that one request for "a series" of them gets."""
BAD = {"wrong": 8, "pointing": 6, "beside": 6}
"""Per cent of the pairs that have a wrong value, say "it", or answer another question."""
_TOKEN = re.compile(r"\w+|[^\w\s]")


def tokens(text: str) -> list[str]:
    """Words and marks: a tokenizer that is the same for both."""
    return _TOKEN.findall(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One prompt: all of it as the model sees it, its last user turn, and the columns of a wanted JSON answer."""

    text: str
    last: str
    columns: Mapping[str, Any] = field(default_factory=dict)
    many: bool = False
    structured: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """A question with its answer."""

    question: str
    answer: str


def _draw(*parts: object) -> int:
    """A number that depends on nothing but `parts`."""
    return int.from_bytes(hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()[:6], "big")


class Script:
    """What the teacher says. `reply` gives the kind of task, for the log, and the answer."""

    def __init__(self, world: World) -> None:
        self._world = world

    def reply(self, asked: Asked) -> tuple[str, str]:
        """The kind of task and the answer."""
        for kind, mark, answer in self._known():
            if mark in asked.text:
                return kind, answer(asked)
        return self._records(asked) if asked.columns else self._free(asked)

    def _known(self) -> tuple[tuple[str, str, Callable[[Asked], str]], ...]:
        """The reference's tasks: a phrase of the prompt, and who answers it."""
        return (
            ("spelling", "a copy of the below document with all spelling errors corrected", self._copy),
            ("pairs", "Develop a series of educational question and answer pairs", self._series),
            ("faithful", "is corroborated by the given context", self._faithful),
            ("relevant", "assess the relevance of a given response", self._relevant),
            ("self-contained", "can you verify if it meets below requirements", self._alone),
            ("choices", "Create a series of multiple choice questions", self._choices),
        )

    # --- the rule ---

    def pairs(self, document: str, position: int, count: int) -> list[Pair]:
        """`count` pairs about a document from `position` on, in a circle over its facts and their wordings."""
        facts = self._world.told(document)
        if not facts:
            return []
        return [self._pair(facts, (position + step) % (2 * len(facts))) for step in range(min(count, 2 * len(facts)))]

    def _pair(self, facts: Sequence[Fact], place: int) -> Pair:
        fact, wording = facts[place % len(facts)], place // len(facts)
        fault = _fault(fact, wording)
        question, answer = fact.questions[wording], fact.answer
        if fault == "wrong":
            answer = _changed(answer)
        elif fault == "pointing":
            question = question.replace(fact.thing, "it")
        elif fault == "beside":
            answer = facts[(place + 1) % len(facts)].answer
        return Pair(question, f"{answer[0].upper()}{answer[1:]}.")

    # --- the reference's form ---

    def _copy(self, asked: Asked) -> str:
        return re.sub(r"\s*(?:<\|[^|]*\|>|\[/INST\]|</s>)\s*$", "", asked.text.rpartition("Document:\n")[2]).strip()

    def _series(self, asked: Asked) -> str:
        examples, _, document = asked.text.rpartition("[DOCUMENT]")
        found = self.pairs(document, _draw(examples), PAIRS)
        return "\n\n".join(f"[QUESTION]\n{pair.question}\n[ANSWER]\n{pair.answer}\n[END]" for pair in found)

    def _faithful(self, asked: Asked) -> str:
        document, response = _between(asked.text, "Context"), _between(asked.text, "Response")
        said = "YES" if self._supported(document, response) else "NO"
        return f"[Start of Explanation]\nCompared.\n[End of Explanation]\n[Start of Answer]\n{said}\n[End of Answer]"

    def _relevant(self, asked: Asked) -> str:
        fits = self._fits(_between(asked.text, "Question"), _between(asked.text, "Response"))
        return (
            f"[Start of Feedback]\nCompared.\n[End of Feedback]\n[Start of Score]\n{2 if fits else 1}\n[End of Score]"
        )

    def _alone(self, asked: Asked) -> str:
        clear = int(bool(self._world.about(_between(asked.text, "Question"))))
        return f"[Start of Explanation]\nRead.\n[End of Explanation]\n[Start of Rating]\n{clear}\n[End of Rating]"

    def _choices(self, asked: Asked) -> str:
        facts = self._world.told(_between(asked.text, "Document"))
        said = []
        for number, fact in enumerate(facts[:PAIRS]):
            options, key = _options(fact, number)
            lines = "\n".join(f"{letter}) {text}" for letter, text in zip("ABCD", options, strict=True))
            said.append(
                f"[Start of Question]\n{fact.questions[0]}\n\n{lines}\n[End of Question]\n\n"
                f"[Start of Answer]\n{'ABCD'[key]}) {options[key]}\n[End of Answer]"
            )
        return "\n\n".join(said)

    # --- what judges look at ---

    def _supported(self, document: str, answer: str) -> bool:
        """Whether the document holds the value, or the sentence, that the answer gives."""
        said = answer.strip().rstrip(".").lower()
        flat = " ".join(document.split()).lower()
        if " not " in f" {said} " or not said:
            return False
        values = [word for word in tokens(said) if word in self._world.last_words or word.isdigit()]
        return all(invented_pages.holds(flat, value) for value in values) if values else said in flat

    def _meant(self, question: str) -> Fact | None:
        """The fact that a question is about: its thing is named, and one of its words."""
        about = self._world.about(question)
        exact = [fact for fact in about if any(form in question for form in fact.questions)]
        named = [fact for fact in about if any(cue in question.lower() for cue in fact.cues)]
        return next(iter(exact or named), None)

    def _fits(self, question: str, answer: str) -> bool:
        """Whether the answer is one to this question, true or not: it holds no value of another fact."""
        if self._world.is_true(question, answer):
            return True
        return not self._world.last_words.intersection(tokens(answer.lower()))

    # --- our forms ---

    def _free(self, asked: Asked) -> tuple[str, str]:
        """Prompts whose answer is a line, or lines with labels."""
        if "Write eight questions" in asked.last:
            found = self.pairs(asked.last, 0, 8)
            return "pairs", "\n".join(f"Question: {pair.question}\nAnswer: {pair.answer}" for pair in found)
        facts = self._world.told(asked.last)
        if not facts:
            return "other", "I cannot say."
        fault = _fault(facts[0], 0)
        question = facts[0].questions[0]
        return "question", question.replace(facts[0].thing, "it") if fault == "pointing" else question

    def _records(self, asked: Asked) -> tuple[str, str]:
        """Prompts that name the columns of a record."""
        kind, rows = self._rows(asked)
        rows = [{name: row.get(name, _default(column)) for name, column in asked.columns.items()} for row in rows]
        if asked.structured:
            return kind, json.dumps({"items": rows} if asked.many else rows[0])
        blocks = ["\n".join(f"<{name}>{_plain(value)}</{name}>" for name, value in row.items()) for row in rows]
        return kind, "\n\n".join(blocks if asked.many else blocks[:1])

    def _rows(self, asked: Asked) -> tuple[str, list[dict[str, Any]]]:
        columns = frozenset(asked.columns)
        known: dict[frozenset[str], tuple[str, Callable[[Asked], list[dict[str, Any]]]]] = {
            frozenset({"fact"}): ("facts", self._facts),
            frozenset({"number", "question", "answer"}): ("questions", self._numbered),
            frozenset({"question", "answer"}): ("pairs", self._several),
            frozenset({"number", "question"}): ("wordings", self._wordings),
            frozenset({"question", "answer", "wrong"}): ("choices", self._four),
        }
        if columns in known:
            kind, answer = known[columns]
            return kind, answer(asked)
        return self._verdict(asked) if "verdict" in columns else ("other", [{}])

    def _facts(self, asked: Asked) -> list[dict[str, Any]]:
        return [{"fact": fact.sentence} for fact in self._world.told(asked.last)]

    def _numbered(self, asked: Asked) -> list[dict[str, Any]]:
        """A question of the wanted kind about each fact of a numbered list."""
        found: list[dict[str, Any]] = []
        for number, kind, line in re.findall(r"(?m)^(\d+)\. \[([^\]]*)\] (.*)$", asked.last):
            for fact in self._world.told(line)[:1]:
                pair = self._of_kind(fact, kind)
                found.append({"number": int(number), "question": pair.question, "answer": pair.answer})
        return found or [{}]

    def _of_kind(self, fact: Fact, kind: str) -> Pair:
        if kind == "yes or no":
            return Pair(f"Is it true that {_lowered(fact.sentence[:-1])}?", f"Yes, {_lowered(fact.sentence)}")
        if kind == "fill in":
            return Pair(fact.sentence.replace(fact.value, "____"), fact.value)
        facts = [fact, next(other for other in self._world.about(fact.thing) if other != fact)]
        return self._pair(facts, 0 if kind == "fact" else 2)

    def _several(self, asked: Asked) -> list[dict[str, Any]]:
        """Pairs about a text; where both of its parts are needed, two questions in one."""
        if "both parts" in asked.last:
            parts = self._world.told(asked.last)
            joined = [(first, second) for first, second in zip(parts[:3], reversed(parts), strict=False)]
            both: list[dict[str, Any]] = [
                {
                    "question": f"{first.questions[0][:-1]}, and {_lowered(second.questions[0])}",
                    "answer": f"{first.answer}, and {second.answer}.",
                }
                for first, second in joined
            ]
            return both or [{}]
        found = self.pairs(asked.last, _draw(asked.text.replace(asked.last, "")), PAIRS)
        return [{"question": pair.question, "answer": pair.answer} for pair in found] or [{}]

    def _wordings(self, asked: Asked) -> list[dict[str, Any]]:
        """Each question as a request, and with the other words."""
        worded: list[dict[str, Any]] = []
        for number, question, _ in _listed(asked.last)[1]:
            fact = self._meant(question)
            others = [form for form in fact.questions if form != question] if fact else []
            request = f"I would like to know: {_lowered(question)}"
            worded += [{"number": number, "question": text} for text in [request, *others][:2]]
        return worded or [{}]

    def _four(self, asked: Asked) -> list[dict[str, Any]]:
        """Questions with a right answer and three wrong ones."""
        found = [fact for fact in self._world.told(asked.last) if not fact.answer.isdigit()][:5]
        rows: list[dict[str, Any]] = []
        for fact in found:
            rows.append({"question": fact.questions[0], "answer": fact.answer, "wrong": _wrong(fact.answer)})
        return rows or [{}]

    def _verdict(self, asked: Asked) -> tuple[str, list[dict[str, Any]]]:
        """A judge's verdict, or the letter of the right choice."""
        options = re.findall(r"(?m)^([A-D])\) (.*)$", asked.last)
        if options:
            fact = self._meant(asked.last)
            right = [letter for letter, text in options if fact and text.strip(" .") == fact.answer]
            blind = "ABCD"[_draw(asked.last) % 4]
            return "choice", [{"verdict": right[0] if right and fact and fact.sentence in asked.last else blind}]
        document, listed = _listed(asked.last)
        if not listed:
            return "other", [{}]
        kind = "faithful" if document else "relevant" if listed[0][2] else "self-contained"
        verdicts: list[dict[str, Any]] = []
        for number, question, answer in listed:
            if document:
                good = self._supported(document, answer)
            else:
                good = self._fits(question, answer) if answer else bool(self._world.about(question))
            verdicts.append({"number": number, "verdict": "YES" if good else "NO"})
        return kind, verdicts


# --- helpers of the script ---


def _fault(fact: Fact, wording: int) -> str:
    draw = _draw(fact.thing, fact.name, wording) % 100
    for name, share in BAD.items():
        if draw < share:
            return name
        draw -= share
    return ""


def _changed(answer: str) -> str:
    """Another value of the same kind, which is on no page."""
    number = re.search(r"\d+", answer)
    if number:
        return answer.replace(number[0], str(int(number[0]) + 20_000))
    return f"{answer}dorf"


def _wrong(answer: str) -> list[str]:
    """Three wrong values of the same kind."""
    first = _changed(answer)
    second = _changed(first)
    return [first, second, _changed(second)]


def _options(fact: Fact, number: int) -> tuple[list[str], int]:
    """Four choices, and the place of the right one."""
    others, key = _wrong(fact.answer), number % 4
    return [*others[:key], fact.answer, *others[key:]], key


def _lowered(text: str) -> str:
    """A sentence inside another one: a capital that only begins it becomes small."""
    first = text.split(" ")[0]
    small = first in ("The", "A", "In", "On", "At", "By", "How", "What", "When", "Where", "Which", "Who", "Name", "To")
    return text[0].lower() + text[1:] if small or first in ("From", "Over", "For") else text


def _between(text: str, name: str) -> str:
    """What the last section of the reference's prompt with this name holds."""
    start = text.rfind(f"[Start of {name}]")
    return text[start:].partition("]")[2].partition("[End of")[0].strip() if start >= 0 else ""


def _listed(text: str) -> tuple[str, list[tuple[int, str, str]]]:
    """The document of a prompt, if it has one, and its numbered questions with their answers, if they have any."""
    *documents, listed = re.findall(r"(?ms)^--- begin (?:\w+) ---\n(.*?)\n--- end \w+ ---", text) or [""]
    string = r'"(?:[^"\\]|\\.)*"'
    lines = re.findall(rf"(?m)^(\d+)\. ({string})(?: ({string}))?$", listed)
    return "".join(documents[:1]), [(int(n), json.loads(one), json.loads(two or '""')) for n, one, two in lines]


def _default(column: Any) -> Any:
    """What stands in a column that the script has nothing for."""
    told = column if isinstance(column, dict) else {}
    return (told.get("enum") or [{"integer": 0, "array": []}.get(told.get("type", ""), "Compared.")])[0]


def _plain(value: Any) -> str:
    return "\n".join(value) if isinstance(value, list) else str(value)


# --- the server ---


@dataclass
class Server:
    """The HTTP side: slots, latency, and the log."""

    script: Script
    latency: float
    slots: int
    log: TextIO | None = None

    def __post_init__(self) -> None:
        self._free = threading.Semaphore(self.slots)
        self._batch = ThreadPoolExecutor(self.slots)
        self._lock = threading.Lock()

    def answer(self, asked: Asked, client: str) -> dict[str, Any]:
        """Wait for a slot, work for the latency, and answer."""
        with self._free:
            began = time.time()
            kind, text = self.script.reply(asked)
            time.sleep(max(0.0, began + self.latency - time.time()))
        counts = {"prompt_tokens": len(tokens(asked.text)), "completion_tokens": len(tokens(text))}
        if self.log:
            line = json.dumps({"at": began, "client": client, "kind": kind, **counts, "prompt": asked.text})
            with self._lock:
                self.log.write(line + "\n")
                self.log.flush()
        return {"text": text, **counts}

    def answers(self, prompts: Sequence[Asked], client: str) -> list[dict[str, Any]]:
        """The prompts of one request, side by side as far as there are slots."""
        return list(self._batch.map(lambda asked: self.answer(asked, client), prompts))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    teacher: Server

    def do_GET(self) -> None:
        self._send({"object": "list", "data": [{"id": NAME, "object": "model"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._send(self._chat(body) if "messages" in body else self._completions(body))

    def _chat(self, body: dict[str, Any]) -> dict[str, Any]:
        said = self.teacher.answer(_asked(body), "chat")
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": said["text"]}}
        return {"object": "chat.completion", "model": NAME, "choices": [choice], "usage": _usage([said])}

    def _completions(self, body: dict[str, Any]) -> dict[str, Any]:
        prompts = [body["prompt"]] if isinstance(body["prompt"], str) else list(body["prompt"])
        wanted = [Asked(text=text, last=text) for text in prompts for _ in range(int(body.get("n") or 1))]
        said = self.teacher.answers(wanted, "completions")
        choices = [
            {"index": index, "finish_reason": "stop", "text": one["text"], "logprobs": None}
            for index, one in enumerate(said)
        ]
        return {
            "id": "1",
            "object": "text_completion",
            "created": 0,
            "model": NAME,
            "choices": choices,
            "usage": _usage(said),
        }

    def _send(self, value: dict[str, Any]) -> None:
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        return


def _asked(body: Mapping[str, Any]) -> Asked:
    """A conversation as one prompt, with the columns of the record that it asks for."""
    turns = [(turn["role"], str(turn["content"])) for turn in body["messages"]]
    text = "\n".join(f"<|{role}|>\n{content}" for role, content in turns) + "\n<|assistant|>\n"
    last = next(content for role, content in reversed(turns) if role == "user")
    schema = (body.get("response_format") or {}).get("json_schema", {}).get("schema")
    if schema:
        many = "items" in schema["properties"]
        record = schema["properties"]["items"]["items"] if many else schema
        return Asked(text=text, last=last, columns=record["properties"], many=many, structured=True)
    told = next((content for role, content in turns if role == "system"), "")
    tags = re.findall(r"<(\w+)>[^<]*</\1>", told.rpartition("with every tag closed")[2])
    return Asked(text=text, last=last, columns=dict.fromkeys(tags), many="the records one after" in told)


def _usage(said: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    prompt, written = (sum(one[name] for one in said) for name in ("prompt_tokens", "completion_tokens"))
    return {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}


def serve(world: World, *, latency: float, slots: int, log: TextIO | None) -> ThreadingHTTPServer:
    """A server on a free port of 127.0.0.1; the caller runs and closes it."""
    teacher = Server(Script(world), latency, slots, log)
    handler = type("Handler", (_Handler,), {"teacher": teacher})

    class Listening(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

        def handle_error(self, request: Any, client_address: Any) -> None:
            return  # a client was killed

    server = Listening(("127.0.0.1", 0), handler)
    server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return server


def main() -> int:
    """Serve until standard input closes."""
    parser = argparse.ArgumentParser(description="A teacher that answers by rule.")
    parser.add_argument("--sections", type=int, default=40)
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--log", type=Path)
    asked = parser.parse_args()
    log = asked.log.open("a", encoding="utf-8") if asked.log else None
    server = serve(invented_pages.make(asked.sections), latency=asked.latency, slots=asked.slots, log=log)
    print(f"http://127.0.0.1:{server.server_address[1]}/v1", flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
