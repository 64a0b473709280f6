"""The rules of a taxonomy: every finding names one of them.

An error makes a leaf unusable, a warning does not. A rule is about validity (what the leaf says) or about style (how
its YAML is written). Where yamllint has a rule for the same thing, the rule has yamllint's name.
"""

from __future__ import annotations

from dataclasses import dataclass

from ilab.errors import Fault

ERROR = "error"
WARNING = "warning"
VALIDITY = "validity"
STYLE = "style"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: `name` in kebab-case, severity, what it is about, the rule in one sentence, how to mend a breach."""

    name: str
    severity: str
    about: str
    sentence: str
    mend: str


_FILES = (
    Rule("no-leaf", ERROR, VALIDITY, "A taxonomy has at least one qna.yaml.", "Put leaves into the top folders."),
    Rule("unreadable-file", ERROR, VALIDITY, "A qna.yaml is a file that can be read.", "Check its permissions."),
    Rule("unreadable-folder", WARNING, VALIDITY, "Every folder can be read.", "Check its permissions."),
    Rule("file-name", WARNING, VALIDITY, "The file of a leaf is named qna.yaml.", "Rename it."),
    Rule("top-folder", WARNING, VALIDITY, "A leaf lies below one of the top folders.", "Move it there."),
    Rule("path-encoding", WARNING, VALIDITY, "The path of a leaf is UTF-8 text.", "Rename the file or folder."),
    Rule("name-collision", WARNING, VALIDITY, "Leaves differ in their joined names too.", "Rename one of the folders."),
    Rule("attribution", WARNING, VALIDITY, "attribution.txt lies beside the qna.yaml.", "Name the sources in it."),
    Rule("too-large", ERROR, VALIDITY, "A qna.yaml has at most 1 MiB.", "Put long texts into the document."),
    Rule("encoding", ERROR, VALIDITY, "A qna.yaml is UTF-8 text.", "Save it as UTF-8."),
    Rule("empty-file", ERROR, VALIDITY, "A qna.yaml is not empty.", "Write the leaf, or delete the file."),
)

_YAML = (
    Rule("syntax", ERROR, VALIDITY, "A qna.yaml is YAML.", "See the hint of the finding."),
    Rule("unprintable", ERROR, VALIDITY, "Text holds no control characters.", "Delete them."),
    Rule("one-document", ERROR, VALIDITY, "A qna.yaml is one YAML document.", "Remove the line `---`."),
    Rule("nesting", ERROR, VALIDITY, "Values are nested at most 32 deep.", "No key of a qna.yaml needs more."),
    Rule("undefined-alias", ERROR, VALIDITY, "Every alias has an anchor.", "Put text that starts with `*` in quotes."),
    Rule("recursive-alias", ERROR, VALIDITY, "No alias stands inside its own anchor.", "Write the value out."),
    Rule("alias-size", ERROR, VALIDITY, "Aliases do not blow up the file.", "Write the values out."),
    Rule("key-text", ERROR, VALIDITY, "Every key is plain text.", "Put quotes around values with curly braces."),
    Rule("merge-key", ERROR, VALIDITY, "The merge key `<<` takes mappings.", "Write the keys out."),
    Rule("key-duplicates", ERROR, VALIDITY, "No key is given twice.", "Remove one of them."),
    Rule("tag", ERROR, VALIDITY, "Values have no tags of their own.", "Remove the tag, or quote the value."),
)

_CONTENT = (
    Rule("value-type", ERROR, VALIDITY, "Every value has the kind its key asks for.", "See the hint of the finding."),
    Rule("unknown-key", ERROR, VALIDITY, "Only known keys are used.", "Correct or remove the key."),
    Rule("missing-key", ERROR, VALIDITY, "Every required key is there.", "Add the key."),
    Rule("empty-value", ERROR, VALIDITY, "No required text is empty.", "Write the text."),
    Rule("too-few", ERROR, VALIDITY, "There are 5 seed examples, 3 pairs to a context, 1 pattern.", "Add some."),
    Rule("duplicate-entry", ERROR, VALIDITY, "No two entries of a list are the same.", "Replace one of them."),
    Rule("near-duplicate", WARNING, VALIDITY, "Entries differ in more than white space.", "Replace one of them."),
    Rule("placeholder", ERROR, VALIDITY, "No placeholder of a template is left.", "Fill it in."),
    Rule("author-placeholder", WARNING, VALIDITY, "`created_by` names the author.", "Write your name."),
    Rule("version", ERROR, VALIDITY, "`version` is a known whole number.", "Write `version: 3`."),
    Rule("knowledge-version", ERROR, VALIDITY, "Knowledge has version 3.", "Rewrite it for `version: 3`."),
    Rule("unused-key", WARNING, VALIDITY, "A pair has `question` and `answer` alone.", "Remove the key."),
    Rule("document-place", ERROR, VALIDITY, "A document has a repository or a path, not both.", "Keep one of them."),
    Rule("document-digest", ERROR, VALIDITY, "`sha256` is the digest of a web document.", "Write 64 hex digits."),
    Rule("document-url", ERROR, VALIDITY, "`repo` is a URL or a path.", "Write the URL that `git clone` takes."),
    Rule("document-commit", ERROR, VALIDITY, "`commit` is a commit id.", "Write what `git log` shows."),
    Rule("pattern-outside", ERROR, VALIDITY, "Patterns stay inside the source.", "Give paths inside it."),
    Rule("context-length", WARNING, VALIDITY, "A context has at most 500 words.", "Shorten or split it."),
    Rule("pair-length", WARNING, VALIDITY, "A question or an answer has at most 250 words.", "Shorten or split it."),
    Rule("seed-length", WARNING, VALIDITY, "A skill has at most 2300 words in all.", "Shorten its examples."),
    Rule("mixed-skill", WARNING, VALIDITY, "All examples of a skill have a context, or none.", "Split the leaf."),
)

DOCUMENT = "document"
CONTEXT = "context-not-in-document"
_DOCUMENTS = (
    Rule(DOCUMENT, ERROR, VALIDITY, "The documents of a leaf can be fetched and read.", "Correct `document`."),
    Rule(CONTEXT, WARNING, VALIDITY, "Contexts are passages of the documents.", "Copy them out of the document."),
)
"""These need the documents, so they are checked only where those are read."""

_STYLE = (
    Rule("line-length", WARNING, STYLE, "A line has at most 120 characters.", "Break it in a block after `|` or `>`."),
    Rule("trailing-spaces", WARNING, STYLE, "No line ends with white space.", "Delete it."),
    Rule("new-lines", WARNING, STYLE, "Lines end as on Unix.", "Save the file with Unix line ends."),
    Rule("braces", WARNING, STYLE, "At most one space stands inside braces.", "Delete the others."),
    Rule("brackets", WARNING, STYLE, "At most one space stands inside brackets.", "Delete the others."),
    Rule("colons", WARNING, STYLE, "One space follows a colon, none stands before it.", "Change the spaces."),
    Rule("commas", WARNING, STYLE, "One space follows a comma, none stands before it.", "Change the spaces."),
    Rule("empty-lines", WARNING, STYLE, "Empty lines: at most two, none at the start or end.", "Delete the others."),
    Rule("hyphens", WARNING, STYLE, "One space follows a hyphen.", "Delete the others."),
    Rule("indentation", WARNING, STYLE, "Lines are indented alike.", "Indent by the same number of spaces."),
    Rule("new-line-at-end-of-file", WARNING, STYLE, "The last line ends with a line end.", "Add one."),
)

RULES = {rule.name: rule for rule in (*_FILES, *_YAML, *_CONTENT, *_DOCUMENTS, *_STYLE)}
"""Every rule that is checked without a file of the user's own yamllint rules, by name."""


def of(name: str) -> Rule:
    """The rule named `name`; one that is not known here is a rule of yamllint that the user asked for."""
    return RULES.get(name) or Rule(name, WARNING, STYLE, f"yamllint's rule `{name}` holds.", "See yamllint's manual.")


def fault(name: str, *, path: str, message: str, hint: str = "", line: int = 0, column: int = 0) -> Fault:
    """A finding under the rule `name`, with the severity of that rule."""
    severity = of(name).severity
    return Fault(path=path, line=line, column=column, message=message, hint=hint, severity=severity, rule=name)
