"""Whatever is done to a ledger, in whatever order, it is what a plain model says."""

from tests.reliability.whole_ledger import beside_the_model


def test_the_whole_ledger_is_what_a_plain_model_says(database_url: str) -> None:
    assert beside_the_model(lambda: database_url, examples=8).hit > 8
