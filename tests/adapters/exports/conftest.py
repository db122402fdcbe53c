from tests.domain.ledger.conftest import books, run

__all__ = ["books", "run"]
