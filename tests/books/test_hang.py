#!/usr/bin/env python3
"""Books that accept a connection and never say a word. Those that fall silent amid an answer are in test_books.py."""
from _hang import check_silent
from _servers import weirtest


def main():
    weirtest.need_weir()
    checks = weirtest.Checks()
    check_silent(checks)
    checks.end()


if __name__ == "__main__":
    main()
