"""Tests of documents.py on small documents."""

import pytest

import documents


@pytest.fixture
def problems(tmp_path):
    """The problems of a document A.md next to B.md, which has the heading "Why not?"."""

    def problems(text):
        (tmp_path / "src").mkdir()
        (tmp_path / "src/lib.rs").touch()
        (tmp_path / "B.md").write_text("# B\n\n## Why not?\n", encoding="utf-8")
        (tmp_path / "A.md").write_text(text, encoding="utf-8")
        return list(documents.problems(tmp_path, ["A.md"]))

    return problems


@pytest.mark.parametrize(
    "text",
    [
        "[B](B.md), [why](B.md#why-not), [here](#a-b)\n\n## A b\n",
        "[elsewhere](https://example.com/C.md)",
        "`src/lib.rs` and `src/`, but not `other/lib.rs`",
        "```\n[C](C.md) `src/none.rs`\n```",
    ],
)
def test_what_exists_is_fine(problems, text):
    assert not problems(text)


@pytest.mark.parametrize(
    "text,problem",
    [
        ("[C](C.md)", "A.md: links to C.md, which does not exist"),
        ("[B](B.md#c)", "A.md: links to B.md#c, which has no such heading"),
        ("[A](#c)", "A.md: links to #c, which has no such heading"),
        ("`src/none.rs`", "A.md: names src/none.rs, which does not exist"),
    ],
)
def test_what_is_missing_is_named(problems, text, problem):
    assert problems(text) == [problem]
