# Bytes to the hexdump that the documents show: 16 bytes a line, offset first, text last.
"""Hexdump text."""


def hexdump(data: bytes) -> str:
    """Return the lines `offset  8 bytes  8 bytes   text`, all numbers hexadecimal.

    >>> print(hexdump(b"hello world"))
    00000000  68 65 6c 6c 6f 20 77 6f  72 6c 64                  hello world
    """
    lines = []
    for offset in range(0, len(data), 16):
        row = data[offset : offset + 16]
        left, right = row[:8].hex(" "), row[8:].hex(" ")
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in row)
        lines.append(f"{offset:08x}  {left:<23}  {right:<23}   {text}")
    return "\n".join(lines)
