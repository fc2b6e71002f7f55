"""Is never run by those who only read the files."""

raise SystemExit("tools/rates.py was run")


def exchange_rate(**_):
    return 11.5
