"""What was answered is kept, and forgotten when it is too much."""

from ledger.policy.memory import Memory


def test_what_is_kept_stands_where_it_is_asked_for() -> None:
    memory, answers = Memory(2), dict[str, int]()
    assert memory.keep(answers, "one", 1) == 1
    assert answers == {"one": 1}


def test_over_all_who_keep_answers_there_are_never_too_many() -> None:
    memory = Memory(10)
    kept: list[dict[int, int]] = [{} for _ in range(4)]
    for number in range(1_000):
        memory.keep(kept[number % 4], number, number)
        assert sum(map(len, kept)) <= 10
        assert kept[number % 4][number] == number


def test_after_forgetting_it_goes_on_to_count() -> None:
    memory, answers = Memory(3), dict[int, int]()
    for number in range(3):
        memory.keep(answers, number, number)
    memory.forget()
    assert answers == {}
    for number in range(4):
        memory.keep(answers, number, number)
    assert answers == {3: 3}
