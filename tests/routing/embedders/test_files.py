"""Files are used only when they are what the build made."""

import json

import pytest

from routing.embedders import files
from routing.errors import ModelsMissing


def test_an_intact_folder_passes_and_says_what_was_measured(built):
    noted = files.check(built)
    assert noted["agreement"]["fp32_max_difference"] <= 1e-4
    assert noted["agreement"]["fp32_max_difference_padded"] <= 1e-4
    assert noted["agreement"]["int8_mean_cosine"] >= 0.99
    assert noted["agreement"]["int8_min_cosine"] >= 0.98
    assert noted["agreement"]["texts"] >= 200
    assert len(noted["source"]["sha256"]) == 64


@pytest.mark.parametrize("name", [files.FP32, files.INT8, files.TOKENIZER, files.TABLE])
def test_one_changed_byte_is_noticed(copy, name):
    path = copy / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelsMissing, match=f"{name} is not the file that was built"):
        files.check(copy)


def test_a_missing_file_is_named(copy):
    (copy / files.INT8).unlink()
    with pytest.raises(ModelsMissing, match=f"{files.INT8} cannot be read"):
        files.check(copy)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"recipe": 0, "files": {}}'])
def test_a_manifest_that_is_none_is_no_model(copy, content):
    (copy / files.MANIFEST).write_text(content)
    with pytest.raises(ModelsMissing):
        files.check(copy)


def test_a_file_that_the_manifest_does_not_name_is_not_used(copy):
    noted = json.loads((copy / files.MANIFEST).read_text())
    del noted["files"][files.TABLE]
    (copy / files.MANIFEST).write_text(json.dumps(noted))
    with pytest.raises(ModelsMissing):
        files.verified(copy, files.TABLE)


def test_a_build_that_fails_is_one_sentence(tmp_path, capfd):
    in_the_way = tmp_path / "a-file"
    in_the_way.touch()
    with pytest.raises(ModelsMissing, match="could not be built: run `python -m"):
        files.ensure(in_the_way / "models")
    said = capfd.readouterr().err
    assert "no embedding models were made" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("models", "var", "expected"),
    [("/m", "/v", "/m"), (None, "/v", "/v/models")],
)
def test_the_folder_comes_from_the_environment(monkeypatch, models, var, expected):
    monkeypatch.setenv("SHADOWEVAL_VAR", var)
    if models:
        monkeypatch.setenv("SHADOWEVAL_MODELS", models)
    else:
        monkeypatch.delenv("SHADOWEVAL_MODELS")
    assert str(files.folder().parent) == expected
