"""The commented file: complete, loads back, hides secrets."""

import re

import pytest
import yaml

from ilab.config import keys, load, write
from ilab.config.load import Request
from ilab.config.schema import Config


def loaded_from(text: str, tmp_path, **environ):
    file = tmp_path / "config.yaml"
    write.save(file, text)
    return load.load(Request(file=file, environ={"ILAB_HOME": str(tmp_path), **environ}))


def test_the_template_lists_every_key_and_changes_none(tmp_path):
    text = write.template({})
    for key in keys.keys(Config).values():
        assert re.search(rf"^ *#{key.name.rpartition('.')[2]}: ", text, re.MULTILINE), key.name
    assert loaded_from(text, tmp_path).changed() == {}


def test_the_template_with_every_line_active_is_the_default_config(tmp_path):
    text = re.sub(r"^( *)#(?! )", r"\1", write.template({}), flags=re.MULTILINE)
    loaded = loaded_from(text, tmp_path)
    assert loaded.config == Config()
    assert all(source.startswith("file ") for source in loaded.sources.values())


@pytest.mark.parametrize(
    "changed",
    [
        {"evaluation.seed": 3, "models.teacher_api_key": "sesame"},
        {"evaluation.questions": "two\nlines\tand a tab", "general.profile": "L4_x8.yaml"},
        {"evaluation.placebo": "# not a comment: 'quoted' \"twice\" \u2028 ü", "taxonomy.strict": True},
    ],
)
def test_changed_values_load_back(tmp_path, changed):
    loaded = loaded_from(write.template(changed), tmp_path)
    for name, value in changed.items():
        assert keys.plain(keys.value_of(loaded.config, name)) == value
        assert loaded.sources[name].startswith("file ")


def test_every_key_has_a_comment():
    missing = [key.name for key in keys.keys(Config).values() if not key.doc]
    assert missing == []


def test_the_active_config_is_yaml_with_sources_and_no_secret(tmp_path):
    loaded = loaded_from("evaluation:\n  seed: 3\n", tmp_path, ILAB_MODELS__TEACHER_API_KEY="sesame")
    text = write.active(loaded)
    assert f"seed: 3  # file {tmp_path / 'config.yaml'}:2 (default 42)" in text
    assert "max_tokens: 512  # default" in text
    assert "sesame" not in text
    assert yaml.safe_load(text)["evaluation"]["seed"] == 3
    assert "#" not in write.active(loaded, comments=False)


def test_only_the_owner_may_read_the_file(tmp_path):
    write.save(tmp_path / "config.yaml", "")
    assert (tmp_path / "config.yaml").stat().st_mode & 0o777 == 0o600


def test_a_room_is_headed_by_its_own_description_not_by_that_of_its_last_key() -> None:
    from ilab.config import keys
    from ilab.config.schema import Config

    sections = {part.name: part.doc for part in keys.tree(Config).children if isinstance(part, keys.Section)}
    assert sections["training"].startswith("How a base model is fine-tuned")
    assert sections["general"].startswith("What belongs to no room")
