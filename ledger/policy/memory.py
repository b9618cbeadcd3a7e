"""A memory of answers, each kept where it is asked for, that forgets when there are too many of them."""

from __future__ import annotations

from typing import Any, TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Memory:
    """No more than `kept_max` answers over all the dictionaries that keep some; with one more all are forgotten.

    To forget the oldest first would take an object for each answer, and the garbage collector more time than is saved.
    """

    def __init__(self, kept_max: int) -> None:
        self.kept_max = kept_max
        self._kept = 0
        self._keeping: list[dict[Any, Any]] = []

    def keep(self, answers: dict[Question, Answer], question: Question, answer: Answer) -> Answer:
        if self._kept >= self.kept_max:
            self.forget()
        if not answers:
            self._keeping.append(answers)
        answers[question] = answer
        self._kept += 1
        return answer

    def forget(self) -> None:
        keeping, self._keeping, self._kept = self._keeping, [], 0
        for answers in keeping:
            answers.clear()
