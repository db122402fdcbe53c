"""What an entry's stop and target do in the bars in which the entry still fills."""

from tests.domain.trading.market import ask, open_venue, play


def test_a_later_slice_inside_a_bar_puts_the_target_to_sleep_until_the_next():
    venue = open_venue()
    rest = {"limit_price": "99", "take_profit": "105", "stop_loss": "90"}
    assert ask(venue, "BUY", 300, "LIMIT", **rest) is None
    assert [fill["quantity"] for fill in play(venue, A="100 106 98 100", volume=1_000)] == [100]
    assert [fill["quantity"] for fill in play(venue, A="100 106 98 100", volume=1_000)] == [100]
    venue.cancel(0)
    (fill,) = play(venue, A="100 106 98 100", volume=1_000)
    assert (fill["reason"], fill["quantity"]) == ("TAKE_PROFIT", 200)


def test_the_stop_is_alive_in_the_bar_of_a_slice():
    venue = open_venue()
    assert ask(venue, "BUY", 300, "LIMIT", limit_price="99", stop_loss="98", take_profit="105") is None
    fills = play(venue, A="100 106 97 100", volume=1_000)
    assert [(fill["reason"], fill["quantity"]) for fill in fills] == [("ENTRY", 100), ("STOP", 100)]
