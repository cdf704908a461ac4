"""Tests of structure.py on small trees: `.venv/bin/python -m pytest tools/lint`."""

import pytest

import structure


@pytest.fixture
def problems(tmp_path):
    """Adds files to a tree and returns the problems of the whole tree."""

    def problems(**files):
        for name, text in files.items():
            path = tmp_path / f"{name.replace('__', '/')}.rs"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return list(structure.problems(tmp_path))

    return problems


def members(found):
    """The files of the only circle among the problems."""
    title, *lines = found
    assert title == f"src: {len(lines)} files import each other in a circle:"
    return [line.split()[0] for line in lines]


def test_a_chain_of_files_is_fine(problems):
    assert not problems(
        src__lib="mod a; mod b; pub use a::A;",
        src__a="use crate::b::B; pub struct A(B);",
        src__b="pub struct B;",
    )


def test_two_files_that_use_each_other_are_a_circle(problems):
    found = problems(src__a="use crate::b::B;", src__b="use crate::{time, a::{self, A}};")
    assert members(found) == ["a.rs", "b.rs"]


def test_a_circle_through_three_files_is_found(problems):
    found = problems(
        src__a="use crate::b::B;",
        src__b="use super::c::C;",
        src__c="fn f() { crate::a::g() }",
    )
    assert members(found) == ["a.rs", "b.rs", "c.rs"]


def test_a_parent_and_a_child_that_use_each_other_are_a_circle(problems):
    found = problems(src__a__mod="mod b; use b::B; struct A;", src__a__b="use super::A; struct B;")
    assert members(found) == ["a/mod.rs", "a/b.rs"]


def test_a_path_through_an_imported_module_counts(problems):
    found = problems(src__a="use crate::b; fn f() { b::g() }", src__b="fn g() { crate::a::f() }")
    assert members(found) == ["a.rs", "b.rs"]


def test_declaring_a_module_is_not_a_use_of_it(problems):
    assert not problems(src__a__mod="mod b; struct A;", src__a__b="use super::A;")


@pytest.mark.parametrize(
    "text",
    [
        "// use crate::a::A;",
        "/* use crate::a::A; */",
        'const TEXT: &str = "use crate::a::A;";',
        'const TEXT: &str = r#"" use crate::a::A;"#;',
        "const QUOTE: char = '\"'; // use crate::a::A; \"",
        "#[cfg(test)]\nmod tests { use crate::a::A; fn f() { if true {} } }",
    ],
)
def test_comments_literals_and_tests_do_not_count(problems, text):
    assert not problems(src__a="use crate::b::B;", src__b=text)


def test_code_after_a_test_module_counts(problems):
    text = "#[cfg(test)]\nmod tests { fn f() {} }\nuse crate::a::A;"
    assert members(problems(src__a="use crate::b::B;", src__b=text)) == ["a.rs", "b.rs"]


def test_a_file_of_tests_does_not_count(problems):
    assert not problems(src__a="use crate::b::tests::B;", src__b__tests="use crate::a::A;")


def test_crates_do_not_see_each_other(problems):
    assert not problems(src__a="use crate::b::B;", tools__cli__src__b="use crate::a::A;")


def test_a_type_name_in_two_crates_is_a_problem(problems):
    (found,) = problems(src__a="pub(crate) struct Name;", tests__filter__tests__b="enum Name {}")
    assert "src/a.rs, tests/filter/tests/b.rs" in found


def test_a_nested_type_name_is_fine(problems):
    assert not problems(src__a="struct Name;", src__b="mod c {\n    struct Name;\n}")


def test_the_limit_of_a_file_counts_code_only(problems):
    lines = "const A: u8 = 0;\n" * structure.FILE_LIMIT
    assert not problems(src__a=lines + "\n// A comment.\n")
    (found,) = problems(src__a=lines + "const B: u8 = 0;\n")
    assert f"src/a.rs: {structure.FILE_LIMIT + 1} lines of code" in found


def test_the_limit_of_the_shell_is_for_all_its_files_together(problems):
    half = "const A: u8 = 0;\n" * (structure.SHELL_LIMIT // 2)
    assert not problems(src__shell__a=half, src__shell__b=half)
    (found,) = problems(src__shell__c="const A: u8 = 0;\n")
    assert f"src/shell: {structure.SHELL_LIMIT + 1} lines of code" in found


def test_the_exit_code_tells_whether_there_are_problems(problems, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(structure, "ROOT", tmp_path)
    problems(src__a="struct Name;")
    assert structure.main() == 0
    problems(src__b="struct Name;")
    assert structure.main() == 1
    assert "rename all but one" in capsys.readouterr().out
