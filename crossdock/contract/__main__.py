"""``python -m crossdock.contract``."""

from crossdock.contract.generating import main

if __name__ == "__main__":
    raise SystemExit(main())
