"""Templates are found where models keep them, and render as transformers renders them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ilab.errors import ConfigError, MissingModel
from ilab.llm.chat_templates import CHATML, read_template, render
from ilab.records.messages import assistant, system, user

TALK = (system("Be brief."), user("Name a star.\n"), assistant("Ankaa <b>"), user("Another?"))
WITH_OPTIONS = """{% for message in messages %}
    {%- if message['role'] == 'tool' %}{% continue %}{% endif %}
    {% if loop.first %}
{{ bos_token }}{{ 'a' }}
    {% endif %}
<{{ message['role'] }}>{{ message | tojson }}{% generation %}{{ message['content'] }}{% endgeneration %}{{ eos_token }}
{% endfor %}
{% if add_generation_prompt %}<assistant>{% endif %}"""


@pytest.mark.parametrize("template", [CHATML, WITH_OPTIONS])
@pytest.mark.parametrize("prompt", [True, False])
def test_renders_byte_for_byte_as_transformers(template: str, prompt: bool) -> None:
    utils = pytest.importorskip("transformers.utils.chat_template_utils", reason="needs the train extra")
    rows = [message.to_json() for message in TALK]
    theirs, _ = utils.render_jinja_template(
        [[{"role": row["role"], "content": row["content"]} for row in rows]],
        chat_template=template,
        add_generation_prompt=prompt,
        bos_token="<s>",
        eos_token="</s>",
    )
    ours = render(template, TALK, add_generation_prompt=prompt, bos_token="<s>", eos_token="</s>")
    assert ours == theirs[0]


def test_chatml_text() -> None:
    text = render(CHATML, (user("hi"),), add_generation_prompt=True)
    assert text == "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"


def test_a_template_that_refuses_a_conversation_says_why() -> None:
    template = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('system role not supported') }}{% endif %}"
    with pytest.raises(ConfigError, match="system role not supported"):
        render(template, TALK, add_generation_prompt=False)


def test_a_template_cannot_reach_the_machine() -> None:
    with pytest.raises(ConfigError):
        render("{{ messages.__class__.__mro__[1].__subclasses__() }}", TALK, add_generation_prompt=False)


def test_the_jinja_file_wins_over_the_tokenizer_settings(tmp_path: Path) -> None:
    settings = {"chat_template": "old", "bos_token": {"content": "<s>"}, "eos_token": "</s>"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    found = read_template(tmp_path)
    assert (found.text, found.bos, found.eos) == ("old", "<s>", "</s>")
    (tmp_path / "chat_template.jinja").write_text("new")
    assert read_template(tmp_path).text == "new"


def test_named_templates_and_none(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer_config.json"
    path.write_text(
        json.dumps({"chat_template": [{"name": "rag", "template": "x"}, {"name": "default", "template": "y"}]})
    )
    assert read_template(tmp_path).text == "y"
    path.write_text(json.dumps({"eos_token": None}))
    assert read_template(tmp_path).text == CHATML


def test_a_folder_without_tokenizer_settings_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(MissingModel, match="tokenizer_config"):
        read_template(tmp_path)
