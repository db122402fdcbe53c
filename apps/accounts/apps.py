from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Trading accounts, the journal that explains them, and their balances."""

    name = "apps.accounts"
    label = "accounts"
