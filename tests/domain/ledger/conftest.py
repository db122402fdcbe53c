import pytest

from bitnerve.domain.ledger.tables import Books
from bitnerve.engine.export import make_books
from bitnerve.engine.run import Run
from tests.domain.ledger.seasons import make_run


@pytest.fixture(scope="session")
def run() -> Run:
    return make_run()


@pytest.fixture(scope="session")
def books(run: Run) -> Books:
    return make_books(run=run)
