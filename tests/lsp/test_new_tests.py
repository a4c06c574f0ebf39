"""Where tests go, and what they are written with."""

from pathlib import Path

import pytest

from opencoder_lsp.lsp.new_tests import NewTests, new_tests


def write(root: Path, *files: str, text: str = "") -> None:
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def found(root: Path, file: str, language: str = "python") -> tuple[str, str | None]:
    write(root, file)
    tests = new_tests(str(root / file), language, [str(root)])
    return tests.framework, str(tests.path.relative_to(root)) if tests.path else None


@pytest.mark.parametrize(
    ("there", "file", "expected"),
    [
        ([], "basket.py", "test_basket.py"),
        (["tests/test_x.py"], "basket.py", "tests/test_basket.py"),
        (["tests/test_x.py"], "shop/a/basket.py", "tests/test_basket.py"),
        (["tests/a/test_x.py"], "shop/a/basket.py", "tests/a/test_basket.py"),
        (["tests/shop/a/test_x.py"], "src/shop/a/basket.py", "tests/shop/a/test_basket.py"),
        (["test/x_test.py"], "basket.py", "test/basket_test.py"),
        (["shop/tests/test_x.py", "tests/y.py"], "shop/basket.py", "shop/tests/test_basket.py"),
        (["test_basket.py"], "basket.py", "test_basket_2.py"),
        (
            ["tests/test_basket.py", "tests/test_basket_2.py"],
            "b/basket.py",
            "tests/test_basket_3.py",
        ),
    ],
)
def test_python_s_tests_go_where_others_are(
    tmp_path: Path, there: list[str], file: str, expected: str
) -> None:
    write(tmp_path, *there)
    assert found(tmp_path, file) == ("pytest", expected)


def test_unittest_is_used_where_the_tests_beside_use_nothing_else(tmp_path: Path) -> None:
    write(tmp_path, "tests/test_a.py", text="import unittest\n")
    assert found(tmp_path, "basket.py")[0] == "unittest"
    write(tmp_path, "tests/test_b.py", text="import pytest\n")
    assert found(tmp_path, "basket.py")[0] == "pytest"


@pytest.mark.parametrize(
    ("there", "file", "expected"),
    [
        ([], "src/basket.ts", "src/basket.test.ts"),
        (["src/x.spec.ts"], "src/basket.tsx", "src/basket.spec.tsx"),
        (["src/__tests__/x.test.js"], "src/basket.js", "src/__tests__/basket.test.js"),
        (["src/basket.test.ts"], "src/basket.ts", "src/basket_2.test.ts"),
    ],
)
def test_tests_of_scripts_go_beside_them(
    tmp_path: Path, there: list[str], file: str, expected: str
) -> None:
    write(tmp_path, *there)
    write(tmp_path, "package.json", text='{"devDependencies": {"vitest": "1"}}')
    assert found(tmp_path, file, "typescript") == ("vitest", expected)


def test_the_framework_of_a_script_without_a_package_is_the_usual_one(tmp_path: Path) -> None:
    assert found(tmp_path, "a.js", "javascript")[0] == "jest"


@pytest.mark.parametrize(
    ("language", "file", "expected"),
    [
        ("go", "pkg/basket.go", "pkg/basket_test.go"),
        ("java", "src/main/java/shop/Basket.java", "src/test/java/shop/BasketTest.java"),
        ("rust", "src/basket.rs", None),
        ("cobol", "basket.cob", None),
    ],
)
def test_other_languages_have_their_own_places_or_none_that_is_known(
    tmp_path: Path, language: str, file: str, expected: str | None
) -> None:
    assert found(tmp_path, file, language)[1] == expected


def test_a_number_stands_in_front_of_what_makes_it_a_test(tmp_path: Path) -> None:
    write(tmp_path, "basket_test.go")
    assert found(tmp_path, "basket.go", "go")[1] == "basket_2_test.go"


def test_nothing_is_looked_at_outside_of_the_workspace(tmp_path: Path) -> None:
    write(tmp_path, "tests/test_a.py", "work/basket.py", text="import unittest\n")
    path = tmp_path / "work" / "basket.py"
    inside = NewTests("unittest", tmp_path / "work" / "test_basket.py")
    assert new_tests(str(path), "python", [str(tmp_path / "work")]) == inside
    assert new_tests(str(path), "python", []) == inside
