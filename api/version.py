"""Which version this is."""

from importlib.metadata import PackageNotFoundError, version


def product_version() -> str:
    try:
        return version("iam-ledger")
    except PackageNotFoundError:  # a checkout that was not installed
        return "unknown"
