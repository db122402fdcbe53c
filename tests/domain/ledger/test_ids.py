import re

from bitnerve.domain.ledger import ids


def test_an_order_id_is_derived_and_short():
    keys = [("ada", tick, ordinal) for tick in range(50) for ordinal in range(50)]
    made = ids.order_ids(seed=1, keys=keys)
    assert made == ids.order_ids(seed=1, keys=keys)
    assert len({*made, *ids.order_ids(seed=2, keys=keys)}) == 2 * len(keys)
    assert all(re.fullmatch(r"[a-z0-9]{1,32}", one) for one in made)
    assert len(ids.fill_id(made[0], 10**9)) <= 48


def test_an_order_and_a_posting_never_share_an_id():
    assert ids.order_ids(seed=1, keys=[("ada", 0, 1)]) != ids.posting_ids(seed=1, keys=[("ada", 0)])
