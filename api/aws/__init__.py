"""AWS's wire protocols: what the aws CLI and the SDKs speak. Pure functions of bytes and dicts; `wire` is the door."""
