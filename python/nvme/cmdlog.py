# How a command log is shown. The lines come decoded from the driver.
"""Command logs as text."""


def show(title: str, lines: str) -> str:
    """Print and return a log."""
    text = f"cmdlog of {title}\n{lines}".rstrip("\n")
    print(text)
    return text
