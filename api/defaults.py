"""What holds where nothing is set. Apart from the settings, for the command line starts without pydantic."""

DATABASE = "iam-ledger.db"
DATABASE_VARIABLE = "IAM_LEDGER_DB"
REJECTS_VARIABLE = "IAM_LEDGER_REJECTS"
HOST = "127.0.0.1"
PORT = 8321
SIGNING_KEYS_VARIABLE = "IAM_LEDGER_SIGNING_KEYS"
DELIVERED_VARIABLE = "IAM_LEDGER_DELIVERED"
