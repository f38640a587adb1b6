"""Every mistake is answered by a message that names file, line, what was expected and the nearest fix.

The messages are in messages.txt and are reviewed like prose. After a change:
``python -m tests.space.test_messages`` rewrites the file; read the difference.
"""

import random
from pathlib import Path

import pytest

from qpsearch.errors import SpaceError
from qpsearch.space import load_space, parse_space
from tests.space.cases import GOOD, MISTAKES

GOLDEN = Path(__file__).with_name("messages.txt")


def answer(old: str, new: str) -> str:
    assert old in GOOD
    with pytest.raises(SpaceError) as caught:
        parse_space(GOOD.replace(old, new), "s.yaml")
    return str(caught.value).replace(str(Path.cwd()), "/here")  # the folder that a missing base was looked for in


def golden() -> dict[str, str]:
    parts = GOLDEN.read_text().split("## ")[1:]
    return {part.split("\n", 1)[0]: part.split("\n", 1)[1].strip() for part in parts}


def written() -> str:
    return "".join(f"## {name}\n{answer(*change)}\n\n" for name, change in MISTAKES.items())


def test_the_good_file_is_good() -> None:
    assert parse_space(GOOD).study == "s"


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_answered(name: str) -> None:
    message = answer(*MISTAKES[name])
    assert message == golden()[name]
    assert all(line.startswith("s.yaml") for line in message.splitlines())


@pytest.mark.parametrize("pruner", ["{threshold: {}}", "{median: {warmup: 12}}", "{patient: {patience: 11}}"])
def test_a_stored_study_may_have_a_pruner_that_prunes_nothing(pruner: str) -> None:
    """It was accepted once; ``test_a_mistake_is_answered`` refuses these in a file."""
    text = GOOD.replace("pruner: hyperband", f"pruner: {pruner}")
    assert parse_space(text, strict=False).search.pruner in pruner


def test_the_golden_file_holds_nothing_else() -> None:
    assert set(golden()) == set(MISTAKES)


def test_a_missing_file_names_the_files_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "digits.yaml").write_text(GOOD)
    with pytest.raises(SpaceError, match=r"digit\.yaml: no such file\. Files there: digits\.yaml\. Shipped spaces: "):
        load_space(tmp_path / "digit.yaml")
    with pytest.raises(SpaceError, match="is a folder"):
        load_space(tmp_path)
    (tmp_path / "picture.yaml").write_bytes(b"\x89PNG\xff")
    with pytest.raises(SpaceError, match="is not UTF-8"):
        load_space(tmp_path / "picture.yaml")


def test_no_mutation_of_a_file_ends_in_a_traceback() -> None:
    generator = random.Random(0)
    refused = 0
    for _ in range(2000):
        text = list(GOOD)
        for _ in range(generator.randint(1, 4)):
            place = generator.randrange(len(text))
            text[place : place + generator.randint(0, 3)] = generator.choice(
                [*list("{}[]:,- \n\t&*!|>'\"#%@`019eE.~"), "choice", "int", "none"]
            )
        try:
            parse_space("".join(text), "s.yaml")
        except SpaceError:
            refused += 1
    assert refused > 1000


if __name__ == "__main__":
    GOLDEN.write_text(written())
