"""`ilab taxonomy new`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ilab.base.report import NullReporter
from ilab.cli import output
from ilab.cli.options import load_config, set_option, settings_flags
from ilab.cli.taxonomy_documents import Chosen, chosen_document
from ilab.cli.taxonomy_path import shown, taxonomy_of
from ilab.cli.user_name import user_name
from ilab.errors import ConfigError, IlabError
from ilab.taxonomy.leaf import KNOWLEDGE, SKILL
from ilab.taxonomy.qna import MIN_EXAMPLES
from ilab.taxonomy.skeleton import GROUNDED_SKILL, KINDS, attribution, place, save, skeleton
from ilab.taxonomy.tree import QNA, root_of

if TYPE_CHECKING:
    from ilab.config.load import Loaded

_KIND_QUESTION = "What do you want to add: knowledge out of a document, a skill, or a skill that works on a given text?"


@dataclass(slots=True, kw_only=True)
class _Answers:
    """What the flags gave, or the guide asked for."""

    path: str
    kind: str
    subject: str
    documents: Sequence[str]
    patterns: Sequence[str]
    created_by: str


@click.command("new")
@click.argument("path", required=False)
@click.option("--kind", type=click.Choice(KINDS), default=None, help="Kind of the leaf; default: what PATH says.")
@click.option("--subject", default="", help="Domain (knowledge) or task description (skill).")
@click.option("--outline", default="", help="What the document is about, in a sentence (knowledge).")
@click.option(
    "--document",
    "documents",
    multiple=True,
    metavar="SOURCE",
    help="File (may be repeated), folder, or git repository as URL@COMMIT (knowledge).",
)
@click.option("--pattern", "patterns", multiple=True, metavar="GLOB", help="Files of a folder or repository.")
@click.option("--created-by", default="", help="Your name; default: git's user.name.")
@click.option("--force", is_flag=True, help="Overwrite a leaf that is there.")
@settings_flags({"--taxonomy-path": "taxonomy.path"})
@set_option
@click.pass_context
def new(
    ctx: click.Context,
    path: str | None,
    kind: str | None,
    subject: str,
    outline: str,
    documents: tuple[str, ...],
    patterns: tuple[str, ...],
    created_by: str,
    force: bool,
) -> None:
    """Writes a new leaf to fill in.

    PATH is its place in the taxonomy, such as knowledge/science/birds. Without it, the command asks for everything.
    With a document, the contexts are passages of it. What you must write yourself stands in angle brackets.
    """
    loaded = load_config(ctx)
    root = root_of(taxonomy_of(loaded))
    answers = _Answers(
        path=path or "",
        kind=kind or "",
        subject=subject,
        documents=documents,
        patterns=patterns,
        created_by=created_by or user_name(root),
    )
    if path is None:
        if not sys.stdin.isatty():
            raise click.UsageError("without a terminal to ask on, give PATH, such as knowledge/science/birds", ctx)
        _ask(answers, root, force=force)
    name, found_kind = place(answers.path, kind=answers.kind)
    folder = root / name
    if (folder / QNA).exists() and not force:
        raise ConfigError(f"{shown(folder / QNA)} is there already", hint="edit it, or overwrite it with --force")
    if found_kind != KNOWLEDGE and (answers.documents or outline):
        raise ConfigError("only knowledge has a document", hint="leave out --document and --outline")
    chosen = chosen_document(answers.documents, answers.patterns, folder=folder, root=root)
    contexts = _contexts(loaded, chosen, name) if chosen else []
    draft = skeleton(
        kind=found_kind,
        created_by=answers.created_by,
        subject=answers.subject,
        outline=outline,
        document=chosen.source if chosen else None,
        contexts=contexts,
    )
    written = chosen.copy_into(folder) if chosen else []
    own = "" if found_kind == KNOWLEDGE else answers.created_by
    written += save(folder, draft.text(), attribution=attribution(creators=own))
    for file in sorted(written):
        click.echo(shown(file))
    if chosen and len(contexts) < MIN_EXAMPLES:
        output.tell(f"note: the document has only {len(contexts)} passages; write {MIN_EXAMPLES} contexts yourself")
    output.tell("next: replace everything in <angle brackets>; `ilab taxonomy diff` lists what is left")


def _contexts(loaded: Loaded, chosen: Chosen, name: str) -> list[str]:
    from ilab.pipeline.passages import passages
    from ilab.pipeline.sources import source_at

    return passages(
        [source_at(each, leaf=name) for each in chosen.read],
        at_least=MIN_EXAMPLES,
        settings=loaded.config.documents,
        cache_dir=loaded.paths.cache,
        report=NullReporter(),
    )


# --- the guide ---


def _ask(answers: _Answers, root: Path, *, force: bool) -> None:
    """Ask for everything that no flag gave."""
    if not answers.kind:
        click.echo(_KIND_QUESTION)
        answers.kind = click.prompt("Kind", type=click.Choice(KINDS), default=KNOWLEDGE)
    example = "science/birds" if answers.kind == KNOWLEDGE else "writing/polite_reply"

    def checked_path(given: str) -> str:
        try:
            name, _ = place(given, kind=answers.kind)
        except IlabError as error:
            raise click.BadParameter(f"{error.message}; {error.hint}") from error
        if (root / name / QNA).exists() and not force:
            raise click.BadParameter(f"{name} is there already; choose another path")
        return name

    answers.path = click.prompt(f"Path of the leaf, such as {example}", value_proc=checked_path)
    if not answers.subject:
        answers.subject = click.prompt(_subject_question(answers.kind), default="", show_default=False).strip()
    if answers.kind == KNOWLEDGE and not answers.documents:

        def checked_document(given: str) -> str:
            try:
                chosen_document([given] if given else [], [], folder=root / answers.path, root=root)
            except IlabError as error:
                raise click.BadParameter(f"{error.message}; {error.hint}") from error
            return given

        question = "Document: a file, a folder, or a git repository as URL@COMMIT [Enter: later]"
        given = click.prompt(question, default="", show_default=False, value_proc=checked_document)
        answers.documents = [given] if given else []
    answers.created_by = click.prompt("Your name", default=answers.created_by or None)


def _subject_question(kind: str) -> str:
    return {
        KNOWLEDGE: "Domain, such as astronomy [Enter: later]",
        SKILL: "What should the model be able to do, in a sentence [Enter: later]",
        GROUNDED_SKILL: "What should the model do with the text it is given, in a sentence [Enter: later]",
    }[kind]
